"""``SampleGradients``: each sample's gradient by Opacus's hooks, clipped and summed; and the proof that it is right.

Opacus attaches to layers; a layer that it takes apart wrongly (several inputs, keywords, samples that see each other)
gives a gradient that clips nothing. So before the first step the gradients of a few samples together are compared with
those of each alone, by plain back-propagation.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from ...core.errors import PrivacyError
from ...core.extras import try_import
from ..batch import Batch

__all__ = ["SampleGradients"]

SLACK = 1e-5
"""Of the norm a sample is clipped to: rounding must not leave it longer. A float32 norm is wrong by a tenth of it."""
AGREE = 1e-3
"""How far a sample's gradient in a batch may be from that alone, of its largest number: rounding makes 1e-6."""


class SampleGradients:
    """Of ``network``'s parameters that are trained. Hooks are there inside ``watching`` only."""

    def __init__(self, network: nn.Module, parameters: list[nn.Parameter]) -> None:
        self.network, self.parameters = network, parameters
        samplers: Any = try_import("opacus.grad_sample")
        module: Any
        for module in network.modules():
            if getattr(module, "inplace", False) is True:
                module.inplace = False  # autograd refuses to change in place what a hook has seen
        try:
            self._hooks = samplers.GradSampleHooks(network, loss_reduction="sum", strict=False)
        except (NotImplementedError, ValueError) as error:
            raise PrivacyError(f"Opacus cannot take this network apart by sample: {error}", _FIX) from error
        self._hooks.remove_hooks()
        self._hooked = list(self._hooks.iterate_submodules(network))
        self._shared: list[nn.Embedding] = []

    @contextlib.contextmanager
    def watching(self, samples: int) -> Iterator[None]:
        """Inside, a forward and a backward pass of a sum over so many samples leaves each sample's gradient."""
        self._clear()
        self._hooks.add_hooks(loss_reduction="sum")
        spread = [m.register_forward_pre_hook(lambda _, args: (_spread(args[0], samples),)) for m in self._shared]
        try:
            with warnings.catch_warnings():
                # torch's word to Opacus's hook on the first layer, whose input needs no gradient
                warnings.filterwarnings("ignore", "Full backward hook is firing", UserWarning)
                yield
        finally:
            self._hooks.remove_hooks()
            for handle in spread:
                handle.remove()

    def clipped(self, most: float) -> tuple[list[torch.Tensor | None], torch.Tensor]:
        """(for each parameter the sum over samples of gradients whose norm is at most ``most``, bool [N]: of which
        samples the gradient was not finite and counts as zero). What was kept for it is dropped.

        None where a parameter took no part.
        """
        found = [self._of(p) for p in self.parameters]
        there = [g.reshape(len(g), -1) for g in found if g is not None]
        if len({len(g) for g in there}) != 1:
            raise PrivacyError(f"layers saw batches of {sorted({len(g) for g in there})} samples", _FIX)
        norms = torch.stack([torch.linalg.vector_norm(g, dim=1) for g in there]).norm(dim=0)
        bad = ~torch.isfinite(norms)
        if bool(bad.any()):
            for flat in there:
                flat[bad] = 0  # a factor of zero would leave NaN
        factors = (most * (1 - SLACK) / norms.clamp(min=torch.finfo(torch.float32).tiny)).clamp(max=1)
        factors[bad] = 0
        sums: list[torch.Tensor | None] = []
        rest = iter(there)
        for parameter, gradient in zip(self.parameters, found, strict=True):
            sums.append(None if gradient is None else (factors @ next(rest)).view(parameter.shape))
        self._clear()
        return sums, bad

    def prove(self, loss: Callable[[Batch], torch.Tensor], batch: Batch) -> None:
        """Raise ``PrivacyError`` where a sample's gradient in ``batch`` is not that of the sample alone.

        ``loss``: the mean over a batch. Layers that draw random numbers rest; weights and buffers stay as they are.
        """
        kept = [b.clone() for b in self.network.buffers()]
        with torch.random.fork_rng(devices=[]):
            self.network.train()
            self._shared = self._tables(loss, batch)
        changed = [n for (n, b), k in zip(self.network.named_buffers(), kept, strict=True) if not torch.equal(b, k)]
        if changed:
            raise PrivacyError(
                f"a forward pass changes {changed[0]!r}, which would keep statistics of samples without noise",
                "Use layers without running statistics.",
            )
        self.network.eval()
        for module in self._hooked:
            # Opacus looks at layers in training only; those that it gives to vmap are copied with all inside them, and
            # vmap refuses to draw dropout's masks
            module.train() if type(module) not in self._hooks.GRAD_SAMPLERS else setattr(module, "training", True)
        try:
            alone = [self._alone(loss, batch.part(i, i + 1)) for i in range(len(batch))]
            together = self._together(loss, batch)
        finally:
            self.network.train()
            self.network.zero_grad(set_to_none=True)
            self._clear()
        for i, wanted in enumerate(alone):
            largest = max(float(g.abs().max()) for g in wanted)
            apart = [float((t[i] - w).abs().max()) for t, w in zip(together, wanted, strict=True)]
            worst = max(range(len(apart)), key=apart.__getitem__)
            if not largest < float("inf"):  # this sample's gradient is not finite, alone as well
                continue
            if not apart[worst] <= AGREE * largest + 1e-7:
                raise PrivacyError(
                    f"a sample's gradient in a batch is not that of the sample alone: {self._name(worst)} differs by "
                    f"{apart[worst]:.2g}, and the largest is {largest:.2g}",
                    _FIX,
                )

    def _alone(self, loss: Callable[[Batch], torch.Tensor], sample: Batch) -> list[torch.Tensor]:
        self.network.zero_grad(set_to_none=True)
        loss(sample).backward()  # type: ignore[no-untyped-call]
        return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in self.parameters]

    def _together(self, loss: Callable[[Batch], torch.Tensor], batch: Batch) -> list[torch.Tensor]:
        try:
            with self.watching(len(batch)):
                (loss(batch) * len(batch)).backward()  # type: ignore[no-untyped-call]
        # Opacus and vmap fail in many ways on layers that they cannot take apart; their own words are kept
        except Exception as error:
            raise PrivacyError(
                f"Opacus cannot take this network apart by sample: {type(error).__name__}: "
                f"{(str(error).splitlines() or [''])[0]}",
                _FIX,
            ) from error
        found = [self._of(p) for p in self.parameters]
        return [
            torch.zeros((len(batch), *p.shape)) if g is None else g for p, g in zip(self.parameters, found, strict=True)
        ]

    def _tables(self, loss: Callable[[Batch], torch.Tensor], batch: Batch) -> list[nn.Embedding]:
        """Embeddings that are looked up once for all samples, as positions are: their input has no axis of samples."""
        tables = [m for m in self._hooked if isinstance(m, nn.Embedding)]
        seen: dict[nn.Embedding, list[int]] = {m: [] for m in tables}
        handles = [m.register_forward_pre_hook(lambda m, args: seen[m].append(args[0].shape[0])) for m in tables]
        try:
            counts = sorted({max(1, len(batch) - 1), len(batch)})
            for count in counts:
                loss(batch.part(0, count))
        finally:
            for handle in handles:
                handle.remove()
        # one axis may have the size of another by chance, but not for two sizes of batches
        return [m for m, sizes in seen.items() if sizes and sizes != counts and len(set(sizes)) == 1]

    def _of(self, parameter: nn.Parameter) -> torch.Tensor | None:
        gradient: Any = getattr(parameter, "grad_sample", None)
        if isinstance(gradient, list):
            raise PrivacyError("a layer ran in two backward passes of one step", _FIX)
        return None if gradient is None else gradient

    def _name(self, number: int) -> str:
        wanted = self.parameters[number]
        return next(repr(n) for n, p in self.network.named_parameters() if p is wanted)

    def _clear(self) -> None:
        """Drop what hooks keep: also of a pass that failed in the middle, or of layers whose output was not used."""
        for module in self._hooked:
            for name in ("activations", "max_batch_len"):
                module.__dict__.pop(name, None)
        for parameter in self.parameters:
            parameter.grad_sample = None  # type: ignore[attr-defined]
            parameter._forward_counter = 0  # type: ignore[attr-defined]
            parameter.__dict__.pop("_current_grad_sample", None)


def _spread(index: torch.Tensor, samples: int) -> torch.Tensor:
    """[L] or [1, L] to [samples, L], without a copy."""
    rows = index[None] if index.ndim == 1 else index
    return rows.expand(samples, *rows.shape[1:])


_FIX = (
    "Build the network of linear, convolution, embedding, layer norm and group norm layers that take one tensor, "
    "by position."
)
