"""``StackedLearner``: K candidates of one structure, one training step of all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...core.errors import UsageError
from ...core.signature import Signature
from ...sources import call_module
from ..batch import Batch
from ..guard import LARGEST, Skip, fault_of
from ..losses.classification import class_output
from ..optimizers import freeze
from ..order import step_seed
from ..recipe import Recipe
from .agreement import check_recipes
from .averages import Averages
from .layers import chain_of
from .losses import StackedLoss
from .stack import Stack
from .updates import Updates
from .vectorised import Vectorised

__all__ = ["StackedLearner", "StackedStep"]


@dataclass(frozen=True, eq=False)
class StackedStep:
    """By candidate: ``losses`` and ``norms`` (of the gradient before clipping), float64 [K], NaN where left out;
    ``skips``: why it was.
    """

    losses: np.ndarray
    norms: np.ndarray
    skips: tuple[Skip | None, ...]


class StackedLearner:
    """Each candidate is trained as a ``Learner`` with its network and recipe alone would train it.

    ``networks`` hold the first weights; ``state(k)`` gives the trained ones, and puts them there. They may differ in
    width (``Stack``), ``recipes`` in what ``agreement.FREE`` names. ``teacher`` is asked once a batch for all.
    ``output``: name of the class scores.

    The sums of a candidate are those of a run alone, at most in another order, so after N steps its weights are within
    a rounding error that N steps have carried on: see ``tests/training/stacked/test_learner.py`` for the bound.
    A step whose loss or gradient is not finite is left out for its candidate, and for no other.

    Raises ``UsageError`` for candidates that do not go together.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        recipes: Sequence[Recipe],
        signature: Signature,
        teacher: nn.Module | None = None,
        output: str = "",
    ) -> None:
        if len(networks) != len(recipes):
            raise UsageError(f"{len(networks)} networks and {len(recipes)} recipes", "Give one recipe a network.")
        check_recipes(recipes)
        self.recipes, self.signature, self.teacher = tuple(recipes), signature, teacher
        self._output = output
        if teacher is not None:
            teacher.eval().requires_grad_(False)
        for network in networks:
            freeze(network, recipes[0].freeze)
        self.stack = Stack(networks)
        if not self.stack.trained:
            raise UsageError(f"freeze {list(recipes[0].freeze)} leaves nothing to train", "Leave a layer out of it.")
        self.loss = StackedLoss([r.loss for r in recipes])
        self.updates = Updates(self.stack, recipes)
        self.averages = Averages(self.stack, [r.ema for r in recipes])
        self.retired: set[int] = set()
        self._chain = chain_of(self.stack)
        self._vectorised = Vectorised(self.stack, signature, output) if self._chain is None else None
        self._before = {n: torch.empty_like(b) for n, b in self.stack.buffers.items()}
        self._widths_checked = not self.stack.narrow

    def __len__(self) -> int:
        return len(self.stack)

    @property
    def by_hand(self) -> bool:
        """True where the network is a chain of layers that are vectorised by hand, False where ``vmap`` does it."""
        return self._chain is not None

    def step(self, batch: Batch | Sequence[Batch], number: int, rates: Sequence[float]) -> StackedStep:
        """One update of every candidate that is not retired. ``batch``: one for all, or one each, of equal shapes.
        ``number``: the step, from which every random choice follows. ``rates``: learning rates.
        """
        k = len(self)
        skips: list[Skip | None] = self._look_at(batch, number)
        which = [i for i in range(k) if skips[i] is None and i not in self.retired]
        if not which:
            return StackedStep(np.full(k, np.nan), np.full(k, np.nan), tuple(skips))
        inputs, targets, stacked = _together(batch)
        if not self._widths_checked:
            self._check_outputs(inputs, stacked)
        with torch.no_grad():
            for name, value in self.stack.buffers.items():
                self._before[name].copy_(value)
        self._forget()  # what an interrupted step may have left would be added to
        losses, gradients = self._backward(inputs, targets, stacked, number)
        if not self._widths_checked:
            self._check_rest(gradients)
            self._widths_checked = True
        norms = _norms(gradients, k)
        lost, grown = losses.tolist(), norms.tolist()
        for i in which:
            if not abs(lost[i]) <= LARGEST or not abs(grown[i]) <= LARGEST:
                samples = (batch if isinstance(batch, Batch) else batch[i]).samples
                skips[i] = Skip(number, "gradient" if abs(lost[i]) <= LARGEST else "loss", tuple(samples.tolist()))
        good = [i for i in which if skips[i] is None]
        self._restore([i for i in range(k) if i not in good])
        self._clip(gradients, norms, grown, good)
        self.updates.step(gradients, rates, good)
        self.averages.update(good)
        self._forget()
        out = np.full((2, k), np.nan)
        out[:, good] = np.array([lost, grown])[:, good]
        return StackedStep(out[0], out[1], tuple(skips))

    def retire(self, k: int) -> None:
        """Leave candidate ``k`` as it is from now on."""
        self.retired.add(k)

    def state(self, k: int) -> dict[str, torch.Tensor]:
        """Copies of candidate ``k``'s weights and buffers by name, of its own width, averaged where its recipe says so:
        what its network's ``load_state_dict`` takes.
        """
        with self.averages.applied():
            return {n: v.detach().clone() for n, v in self.stack.write(k).state_dict().items()}

    @torch.no_grad()
    def outputs(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Class scores [K, N, C] in evaluation mode, of averaged weights where recipes say so."""
        with self.averages.applied():
            return self._forward(inputs, False, None)

    def _forward(self, inputs: Mapping[str, torch.Tensor], stacked: bool, number: int | None) -> torch.Tensor:
        """``number`` None: evaluation."""
        if self._chain is None:
            assert self._vectorised is not None, "one of both is there"
            if number is not None:
                torch.default_generator.manual_seed(step_seed([r.seed for r in self.recipes], number))
            return self._vectorised(inputs, stacked, number is not None)
        generators: list[torch.Generator] | None = None
        if number is not None:
            generators = []
            if self._chain.random:
                generators = [torch.Generator().manual_seed(step_seed([r.seed], number, 0, 0)) for r in self.recipes]
        (x,) = inputs.values() if not self.signature.inputs else (inputs[n] for n in self.signature.input_names)
        return self._chain(x, stacked, generators)

    def _backward(
        self, inputs: Mapping[str, torch.Tensor], targets: torch.Tensor, stacked: bool, number: int
    ) -> tuple[torch.Tensor, dict[str, Sequence[torch.Tensor]]]:
        """(losses [K], rows of the gradients by parameter)."""
        scores = self._forward(inputs, stacked, number)
        losses, gradient = self.loss(scores.detach(), targets, self._taught(inputs, stacked))
        scores.backward(gradient)  # type: ignore[no-untyped-call]
        trained = self.stack.trained.items()
        return losses, {n: p.grad.unbind(0) for n, p in trained if p.grad is not None}

    def _forget(self) -> None:
        for parameter in self.stack.parameters.values():
            parameter.grad = None

    @torch.no_grad()
    def _taught(self, inputs: Mapping[str, torch.Tensor], stacked: bool) -> torch.Tensor | None:
        if self.teacher is None or not self.loss.taught:
            return None
        flat = {n: v.flatten(0, 1) for n, v in inputs.items()} if stacked else inputs
        scores = class_output(call_module(self.teacher, flat, self.signature), self._output).float()
        return scores.view(len(self), -1, *scores.shape[1:]) if stacked else scores

    def _look_at(self, batch: Batch | Sequence[Batch], number: int) -> list[Skip | None]:
        """Inputs and labels, before they reach a network."""
        if isinstance(batch, Batch):
            return [_fault(batch, number)] * len(self)
        if len(batch) != len(self):
            raise UsageError(f"{len(batch)} batches for {len(self)} candidates", "Give one for all, or one each.")
        return [_fault(b, number) for b in batch]

    @torch.no_grad()
    def _restore(self, which: Sequence[int]) -> None:
        for name, value in self.stack.buffers.items():
            for k in which:
                value[k] = self._before[name][k]

    def _clip(
        self, gradients: Mapping[str, Sequence[torch.Tensor]], norms: torch.Tensor, grown: list[float], good: list[int]
    ) -> None:
        for k in good:
            most = self.recipes[k].clip
            if most and grown[k] > most:
                torch._foreach_mul_([rows[k] for rows in gradients.values()], most / norms[k])

    @torch.no_grad()
    def _check_outputs(self, inputs: Mapping[str, torch.Tensor], stacked: bool) -> None:
        """A narrow candidate must answer as its network alone does."""
        together = self._forward(inputs, stacked, None)
        for k, network in enumerate(self.stack.networks):
            own = {n: v[k] for n, v in inputs.items()} if stacked else inputs
            mode = network.training
            try:
                alone = class_output(call_module(network.eval(), own, self.signature), self._output)
                fits = alone.shape == together[k].shape and torch.allclose(alone, together[k], rtol=1e-3, atol=1e-4)
            except RuntimeError:
                fits = False
            finally:
                network.train(mode)
            if not fits:
                raise UsageError(
                    f"candidate {k} does not answer in the stack as it does alone",
                    "Narrower hidden layers can be stacked; other inputs, other classes and layers that mix units with "
                    "places cannot: train it in turn.",
                )

    def _check_rest(self, gradients: Mapping[str, Sequence[torch.Tensor]]) -> None:
        """What a narrow candidate does not have must stay zero."""
        for name, rows in gradients.items():
            for k, row in enumerate(rows):
                if bool((row[~self.stack.is_own(name, k)] != 0).any()):
                    raise UsageError(
                        f"candidate {k} is narrower, and {name} has a gradient beyond its width",
                        "Units that are not there must give zero (ReLU, GELU, tanh do): train it in turn.",
                    )


def _together(batch: Batch | Sequence[Batch]) -> tuple[Mapping[str, torch.Tensor], torch.Tensor, bool]:
    if isinstance(batch, Batch):
        return batch.inputs, batch.targets, False
    names = batch[0].inputs
    # a label that is none was noted by the guard: its candidate is left out
    targets = torch.stack([b.targets for b in batch]).clamp_(min=0)
    return {n: torch.stack([b.inputs[n] for b in batch]) for n in names}, targets, True


def _fault(batch: Batch, number: int) -> Skip | None:
    what, samples = fault_of(batch.inputs, batch.targets, batch.samples)
    return Skip(number, what, samples) if what else None


def _norms(gradients: Mapping[str, Sequence[torch.Tensor]], k: int) -> torch.Tensor:
    """float32 [K]: of each candidate's gradient, over all its parameters."""
    each = torch._foreach_norm([row for rows in gradients.values() for row in rows])
    norms: torch.Tensor = torch.stack(each).view(-1, k).norm(dim=0)
    return norms
