"""``PrivateLearner``: one step of DP-SGD (Abadi et al. 2016, arXiv:1607.00133) in place of an ordinary one.

Each sample's gradient is clipped to ``max_grad_norm``, the sum over a Poisson batch gets Gaussian noise, and is divided
by the size that a batch has on average; what the optimizer then does with it is post-processing. **Nothing that is
decided here, or told to the loop, depends on the data in another way**: no step is left out (a sample whose gradient is
not finite counts as a zero gradient, which is within the bound), and the loss, which has no noise, is told to nobody.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ...core.errors import DivergenceError, PrivacyError, ResumeError
from ..batch import Batch
from ..guard import LARGEST, gradient_norm, implausible_samples
from ..learner import Learner, StepResult, seed_all
from ..recipe import Privacy
from .accountant import Spent, delta_for, noise_for, pld_epsilon, rdp_epsilon
from .gradients import SampleGradients
from .refusals import refuse_layers, refuse_recipe
from .sampling import PoissonLoader
from .secret import Secret

__all__ = ["PrivateLearner"]

IN_CACHE, AT_ONCE = 1 << 25, 1 << 30
"""Bytes of per-sample gradients held at once, where the recipe does not ask for smaller parts: so many that caches hold
most of them (they are written once and read three times), but for a few samples at least, up to the second number.
"""
FEW = 8
CHUNK = 1 << 18
"""Numbers of noise made at a time, so that what they are made of stays in cache."""


@dataclass
class PrivateLearner(Learner):
    """As ``Learner``, for a ``recipe`` with ``privacy``. ``secret``: what noise, dropout and sampling are drawn from.

    Raises ``PrivacyError`` for a network, loss or recipe that would void the guarantee.
    """

    secret: Secret = field(kw_only=True)

    def __post_init__(self) -> None:
        refuse_recipe(self.recipe, self.loss, self.ranks)
        refuse_layers(self.network, self.recipe.loss.distil)
        # Opacus unfolds what a convolution sees, which is laid out channels-first
        self.recipe = replace(self.recipe, channels_last=False)
        super().__post_init__()
        self.gradients = SampleGradients(self.network, self.parameters)
        self.noise = self.choice.noise
        self.drawn = self.left_out = 0
        self.key = self.secret.name
        self._sums: list[torch.Tensor | None] = []
        self._bad: list[np.ndarray] = []

    @property
    def choice(self) -> Privacy:
        if self.recipe.privacy is None:
            raise PrivacyError("the recipe has no privacy", "Give it privacy.epsilon or privacy.noise.")
        return self.recipe.privacy

    def begin(self, loader: Any, steps: int) -> None:
        """Find the noise for ``steps``, and prove that the network can be trained privately."""
        if not isinstance(loader, PoissonLoader):
            raise PrivacyError(
                f"batches come from a {type(loader).__name__}: the noise is right for Poisson sampling only",
                "Use PoissonLoader, or give recipe.privacy to speedwell.train, which does.",
            )
        if loader.batch != min(self.recipe.batch, loader.count) or loader.secret.name != self.secret.name:
            raise PrivacyError("the loader is of another batch or key than the learner", "Make both of one recipe.")
        self._samples, self._rate, self._steps = loader.count, loader.rate, steps
        self._expected = loader.batch
        self.delta = delta_for(loader.count, self.choice.delta)
        if not self.noise:
            self.noise = noise_for(self.choice.epsilon, self.delta, loader.rate, steps)
        self.gradients.prove(self._loss, loader.make(np.arange(min(3, loader.count)), None))

    def spent(self, steps: int, assumed: tuple[str, ...] = ()) -> Spent:
        """The guarantee of a training that was to take ``steps`` steps."""
        rdp = rdp_epsilon(self.noise, self._rate, steps, self.delta)
        pld = pld_epsilon(self.noise, self._rate, steps, self.delta)
        return Spent(
            epsilon=max(rdp, pld), delta=self.delta, samples=self._samples, rdp=rdp, pld=pld, noise=self.noise,
            max_grad_norm=self.choice.max_grad_norm, rate=self._rate, steps=steps, drawn=self.drawn,
            left_out=self.left_out, secure=self.choice.secure, assumed=assumed,
        )  # fmt: skip

    def step(self, batch: Batch, whole: int, number: int, rate: float) -> StepResult:
        """One noisy update, whatever the batch holds; also of an empty one, which is noise alone."""
        self.network.train()
        forward = backward = 0.0
        self._sums, self._bad = [None] * len(self.parameters), []
        sound = _sound(batch)
        if len(sound):
            _, forward, backward = self._gradients(sound, whole, number)
        began = time.perf_counter()
        self.drawn += len(batch)
        self.left_out += len(batch) - len(sound) + int(sum(bad.sum() for bad in self._bad))
        self._add_noise(number)
        norm = gradient_norm(self.parameters)
        self._update(norm, rate)
        self._look_at_weights(number)
        return StepResult(None, float(norm), None, forward, backward, time.perf_counter() - began)

    def facts(self) -> dict[str, Any]:
        return {"noise": self.noise, "drawn": self.drawn, "left_out": self.left_out, "key": self.key}

    def load_facts(self, facts: Mapping[str, Any]) -> None:
        if not self.secret.spent and facts["key"] != self.key:
            raise ResumeError(
                "the key of this private training is not the one that it was begun with",
                "Other noise on steps that were done already would tell more than epsilon says: start a new run.",
            )
        self.key, self.noise = str(facts["key"]), float(facts["noise"])
        self.drawn, self.left_out = int(facts["drawn"]), int(facts["left_out"])

    def _pass(self, batch: Batch, whole: int, number: int) -> tuple[torch.Tensor, float, float]:
        """Sums of clipped gradients, part by part. The loss is not given: no one is to see it."""
        del whole  # the size of the batch that was drawn is divided by nowhere: it depends on the samples
        forward = backward = 0.0
        self._sums, self._bad = [None] * len(self.parameters), []
        most = self._at_once()
        for place, start in enumerate(range(0, len(batch), most)):
            part = batch if len(batch) <= most else batch.part(start, min(len(batch), start + most))
            # masks of dropout go by place in the batch: known ones would make samples depend on each other
            seed_all(self.secret.number("network"), number, place)
            for parameter in self.parameters:
                parameter.grad = None
            began = time.perf_counter()
            with self.gradients.watching(len(part)):
                loss = self._loss(part) * len(part)
                between = time.perf_counter()
                loss.backward()  # type: ignore[no-untyped-call]
            sums, bad = self.gradients.clipped(self.choice.max_grad_norm)
            for i, found in enumerate(sums):
                if found is not None:
                    kept = self._sums[i]
                    self._sums[i] = found if kept is None else kept.add_(found)
            self._bad.append(bad.numpy())
            forward += between - began
            backward += time.perf_counter() - between
        return torch.zeros(()), forward, backward

    def _at_once(self) -> int:
        """Samples a part: batches differ in size, so parts are of a size and not of a number."""
        one = 4 * max(1, sum(p.numel() for p in self.parameters))
        fits = max(1, IN_CACHE // one, min(FEW, AT_ONCE // one))
        return min(fits, max(1, -(-self._expected // self.parts)))

    @torch.no_grad()
    def _add_noise(self, number: int) -> None:
        """Gradients become (sum + noise) / the average size of a batch. Added in float64 and rounded once after it, so
        that which float32 comes out tells little of the sum under the noise (Mironov 2012, "On significance of the
        least significant bits for differential privacy").
        """
        sizes = [p.numel() for p in self.parameters]
        noisy = np.empty(sum(sizes))
        for start in range(0, len(noisy), CHUNK):
            piece = noisy[start : start + CHUNK]
            piece[:] = self.secret.normal(len(piece), "noise", number, start)
        whole = torch.from_numpy(noisy).mul_(self.noise * self.choice.max_grad_norm)
        for found, part in zip(self._sums, torch.split(whole, sizes), strict=True):
            if found is not None:
                part.add_(found.reshape(-1))
        rounded = whole.div_(self._expected).float()
        for parameter, part in zip(self.parameters, torch.split(rounded, sizes), strict=True):
            parameter.grad = part.view(parameter.shape)

    def _look_at_weights(self, number: int) -> None:
        """Weights are what the noise was for: stopping because of them tells nothing more."""
        norm = torch.stack(torch._foreach_norm([p.detach() for p in self.parameters])).norm()
        if not bool(norm <= LARGEST):
            raise DivergenceError(
                f"the weights grew to {float(norm):.3g} by step {number + 1:,}",
                f"The last good checkpoint is kept. Lower optimizer.lr ({self.recipe.optimizer.lr:g}) or set clip.",
            )


def _sound(batch: Batch) -> Batch:
    """``batch`` without samples whose input or label is no number: their gradient is zero by definition."""
    if not len(batch):
        return batch
    bad = implausible_samples(batch.inputs)
    if isinstance(batch.targets, torch.Tensor):
        bad = bad | (batch.targets < 0 if not batch.targets.is_floating_point() else ~batch.targets.isfinite())
    if not bool(bad.any()):
        return batch
    keep = ~bad
    return Batch({n: v[keep] for n, v in batch.inputs.items()}, batch.targets[keep], batch.samples[keep.numpy()])
