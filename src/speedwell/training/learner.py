"""``Learner``: a network with what one training step does to it: forward, loss, backward, guard, update."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from ..core.signature import Signature
from ..sources import call_module
from .averaging import Average
from .batch import Batch
from .guard import LARGEST, Buffers, Skip, fault_of, gradient_norm
from .layout import in_layout, layout_of
from .losses.distillation import Hidden, distil
from .optimizers import freeze, make_optimizer, set_learning_rate
from .order import step_seed
from .parallel import Ranks
from .recipe import Recipe

__all__ = ["Learner", "LossFunction", "StepResult", "seed_all"]

FAULTS = ("", "input", "label")
"""Of a batch, by the number that processes tell each other."""
OUT_OF_MEMORY = ("not enough memory", "can't allocate memory", "cannot allocate memory", "out of memory")


class LossFunction(Protocol):
    """Mean over the batch of outputs by name and targets."""

    def __call__(self, outputs: Mapping[str, torch.Tensor], targets: Any) -> torch.Tensor: ...


@dataclass(frozen=True)
class StepResult:
    """``loss``: mean over the whole batch, NaN where skipped, None where nobody is to see it (private training).
    ``norm``: of the gradient before clipping. Seconds.
    """

    loss: float | None
    norm: float
    skip: Skip | None
    forward: float
    backward: float
    update: float


@dataclass
class Learner:
    """``network`` is trained in place. ``teacher``: for distillation. ``signature``: how it is called.

    ``parts``: pieces a batch is computed in, one after the other, which is ``recipe.accumulation`` until a batch does
    not fit in memory. ``halved`` is told in words when that happens. ``precision``: what layers compute in, float32
    until ``choose_precision`` has measured, where the recipe says auto; weights, loss and update are float32 always.
    """

    network: nn.Module
    loss: LossFunction
    recipe: Recipe
    signature: Signature
    teacher: nn.Module | None = None
    ranks: Ranks = field(default_factory=Ranks)
    halved: Callable[[str], None] = print

    def __post_init__(self) -> None:
        freeze(self.network, self.recipe.freeze)
        self.layout = layout_of(self.network, self.recipe.channels_last)
        if self.layout is not None:
            self.network.to(memory_format=self.layout)  # type: ignore[call-overload]
        # spreads the weights, where they are to be: before anyone holds them
        wrapped = self.ranks.wrapped(self.network)
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(self.network, self.recipe.optimizer)
        self.numbered = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.average = Average(self.network, self.recipe.ema) if self.recipe.ema else None
        self.parts = self.recipe.accumulation
        chosen = self.recipe.precision
        self.precision: str = "float32" if chosen == "auto" else chosen
        self._buffers = Buffers(self.network)
        self._forward: Any = torch.compile(wrapped) if self.recipe.compile else wrapped
        self._hidden: Hidden | None = None
        choice = self.recipe.loss.distil
        if choice is not None and self.teacher is not None:
            self.teacher.eval().requires_grad_(False)
            if choice.layers:
                self._hidden = Hidden(self.network, self.teacher, choice.layers)

    def begin(self, loader: Any, steps: int) -> None:
        """Called once before the first step of a sitting. ``steps``: of the whole training."""

    def facts(self) -> dict[str, Any]:
        """What a checkpoint holds beside tensors, as plain JSON, for ``load_facts``."""
        return {}

    def load_facts(self, facts: Mapping[str, Any]) -> None: ...

    def step(self, batch: Batch, whole: int, number: int, rate: float) -> StepResult:
        """One update from this process's ``batch``, a part of ``whole`` samples over all processes; or none, where the
        guard finds something (the same on every process). ``number``: the step, from which every random choice of the
        network follows. ``rate``: learning rate.
        """
        self.network.train()
        self._buffers.keep()
        if (skip := self._look_at(batch, number)) is not None:
            return StepResult(float("nan"), float("nan"), skip, 0.0, 0.0, 0.0)
        loss, forward, backward = self._gradients(batch, whole, number)
        began = time.perf_counter()
        norm = gradient_norm(self.parameters)
        # one decision for all: a rank that alone saw a fault must not be the only one to skip
        where = self.ranks.worst(0 if _fine(loss) and _fine(norm) else 2 if not _fine(loss) else 1)
        if where:
            self.optimizer.zero_grad(set_to_none=True)
            self._buffers.restore()
            skip = Skip(number, "loss" if where == 2 else "gradient", tuple(batch.samples.tolist()))
            return StepResult(float("nan"), float("nan"), skip, forward, backward, 0.0)
        self._update(norm, rate)
        update = time.perf_counter() - began
        return StepResult(self.ranks.summed(float(loss)), float(norm), None, forward, backward, update)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the network holds its averaged weights, where the recipe asks for such."""
        with contextlib.nullcontext() if self.average is None else self.average.applied():
            yield

    def _update(self, norm: torch.Tensor, rate: float) -> None:
        """What a gradient of ``norm`` that was found good is used for; then it is dropped."""
        if self.recipe.clip and float(norm) > self.recipe.clip:
            torch._foreach_mul_([p.grad for p in self.parameters if p.grad is not None], self.recipe.clip / norm)
        self.ranks.average_buffers(self._buffers.live)
        set_learning_rate(self.optimizer, rate)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update()

    def measure(self, batch: Batch) -> torch.Tensor:
        """The loss on ``batch`` in training mode, without an update: its graph is alive."""
        self.network.train()
        outputs = call_module(self.network, in_layout(batch.inputs, self.layout), self.signature)
        return self.loss(outputs, batch.targets)

    def rehearse(self, batch: Batch, whole: int) -> bool:
        """Forward and backward as ``step`` has them, without an update; all is left as it was. False where the guard
        would not let the batch reach the network.
        """
        self.network.train()
        self._buffers.keep()
        if self._look_at(batch, 0) is not None:
            return False
        self._gradients(batch, whole, 0)
        self.optimizer.zero_grad(set_to_none=True)
        self._buffers.restore()
        return True

    def _look_at(self, batch: Batch, number: int) -> Skip | None:
        """Inputs and labels, before they reach the network."""
        what, samples = fault_of(batch.inputs, batch.targets, batch.samples)
        if not (worst := self.ranks.worst(FAULTS.index(what))):
            return None
        return Skip(number, what or FAULTS[worst], samples)

    def _gradients(self, batch: Batch, whole: int, number: int) -> tuple[torch.Tensor, float, float]:
        """(process's share of the batch's mean loss, seconds forward, seconds backward); gradients are summed over
        parts and processes, as those of one mean over ``whole`` samples.
        """
        while True:
            try:
                return self._pass(batch, whole, number)
            except (MemoryError, RuntimeError) as error:
                told = str(error).lower()
                memory = isinstance(error, MemoryError) or any(words in told for words in OUT_OF_MEMORY)
                if self.ranks.world > 1:
                    # the others wait inside a collective: halving alone would leave them there
                    raise self.ranks.lost(error) from error
                if not memory or self.parts >= len(batch):
                    raise
            self.optimizer.zero_grad(set_to_none=True)
            self._buffers.restore()
            self.parts *= 2
            self.halved(
                f"a batch of {len(batch)} does not fit in memory: it is computed in {self.parts} parts, "
                "which gives the same gradient"
            )

    def _pass(self, batch: Batch, whole: int, number: int) -> tuple[torch.Tensor, float, float]:
        forward = backward = 0.0
        total = torch.zeros(())
        pieces = np.array_split(np.arange(len(batch)), min(self.parts, len(batch)))
        for place, piece in enumerate(pieces):
            part = batch if len(pieces) == 1 else batch.part(int(piece[0]), int(piece[-1]) + 1)
            seed_all(self.recipe.seed, number, place, self.ranks.rank)
            began = time.perf_counter()
            last = place == len(pieces) - 1
            loss = self._loss(part) * (len(part) / whole)
            between = time.perf_counter()
            # the mean over processes that torch.distributed takes, undone by the number of them
            with contextlib.nullcontext() if last else self.ranks.alone(self._forward):
                (loss * self.ranks.world).backward()  # type: ignore[no-untyped-call]
            forward += between - began
            backward += time.perf_counter() - between
            total = total + loss.detach()
        return total, forward, backward

    def _loss(self, part: Batch) -> torch.Tensor:
        inputs = in_layout(part.inputs, self.layout)
        outputs = self._answer(self._forward, inputs)
        loss = self.loss(outputs, part.targets)
        choice = self.recipe.loss.distil
        if choice is not None and self.teacher is not None:
            with torch.no_grad():
                wanted = self._answer(self.teacher, inputs)
            loss = distil(choice, loss, outputs, wanted, self._hidden)
        return loss

    def _answer(self, network: Any, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Outputs by name; what a loss then does with them, it does in float32."""
        if self.precision == "float32":
            return call_module(network, inputs, self.signature)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = call_module(network, inputs, self.signature)
        return {name: o.float() if o.is_floating_point() else o for name, o in outputs.items()}


def _fine(value: torch.Tensor) -> bool:
    return bool(value.abs() <= LARGEST)  # no comparison with NaN holds


def seed_all(seed: int, *place: int) -> None:
    """Every generator that a network may draw from (dropout, the user's own code), set for this step: so a resumed run
    draws what the uninterrupted one would have, and no state has to be kept.
    """
    drawn = step_seed([seed], *place)
    torch.default_generator.manual_seed(drawn)  # torch.manual_seed also prepares accelerators, in 1 ms
    random.seed(drawn)
    np.random.seed(drawn % (1 << 32))
