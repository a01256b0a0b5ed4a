"""``SharedLearner``: K candidates trained in turn on work that they share: one batch, one answer of the teacher."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ...core.errors import UsageError
from ...core.signature import Signature
from ...sources import call_module
from ..batch import Batch
from ..guard import Skip
from ..layout import in_layout
from ..learner import Learner, LossFunction
from ..losses.classification import ClassLoss, class_output
from ..recipe import Recipe
from .learner import StackedStep

__all__ = ["SharedLearner", "SharedTeacher"]


class SharedTeacher(nn.Module):
    """``teacher``, which answers the same tensors once: what it is asked again within a batch is remembered.

    Tensors are the same where they lie in the same memory. Inputs are kept until ``forget``, so no other tensor can
    come to lie there meanwhile.
    """

    def __init__(self, teacher: nn.Module, signature: Signature) -> None:
        super().__init__()
        self.teacher, self._signature = teacher, signature
        self._told: dict[Any, tuple[Any, dict[str, torch.Tensor]]] = {}

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Inputs and outputs by name."""
        key = tuple((n, v.data_ptr(), v.shape, v.stride(), v.dtype) for n, v in sorted(inputs.items()))
        if key not in self._told:
            self._told[key] = (inputs, call_module(self.teacher, inputs, self._signature))
        return self._told[key][1]

    def forget(self) -> None:
        """Before the next batch."""
        self._told.clear()


class SharedLearner:
    """Each candidate is a ``Learner`` of its own and is trained bit for bit as it would be alone on these batches; any
    networks, recipes and losses go together that take the same inputs. ``losses``: one each; class losses by default.

    What a batch costs apart from the candidates is paid once: reading, decoding, augmenting, and the teacher. The way
    for convolutions, whose products gain nothing from being done together.

    Raises ``UsageError`` where recipes ask for hidden layers of the teacher: those are watched while it computes.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        recipes: Sequence[Recipe],
        signature: Signature,
        teacher: nn.Module | None = None,
        output: str = "",
        losses: Sequence[LossFunction] | None = None,
    ) -> None:
        if not networks or len(networks) != len(recipes):
            raise UsageError(f"{len(networks)} networks and {len(recipes)} recipes", "Give one recipe a network.")
        if teacher is not None and any(r.loss.distil is not None and r.loss.distil.layers for r in recipes):
            raise UsageError(
                "loss.distil.layers does not go with a shared teacher", "Leave layers out, or train alone."
            )
        self.recipes, self.signature = tuple(recipes), signature
        self._output = output
        self._teacher = None if teacher is None else SharedTeacher(teacher, signature)
        each = losses or [ClassLoss(r.loss, output) for r in recipes]
        self.learners = [
            Learner(n, loss, r, signature, self._teacher)
            for n, loss, r in zip(networks, each, recipes, strict=True)
        ]  # fmt: skip
        self._layout = self.learners[0].layout
        self.retired: set[int] = set()

    def __len__(self) -> int:
        return len(self.learners)

    def step(self, batch: Batch | Sequence[Batch], number: int, rates: Sequence[float]) -> StackedStep:
        """As ``StackedLearner.step``."""
        k = len(self)
        if not isinstance(batch, Batch) and len(batch) != k:
            raise UsageError(f"{len(batch)} batches for {k} candidates", "Give one for all, or one each.")
        out = np.full((2, k), np.nan)
        skips: list[Skip | None] = [None] * k
        if isinstance(batch, Batch):
            # laid out once: else each learner would, and the teacher would see K different tensors
            batch = Batch(in_layout(batch.inputs, self._layout), batch.targets, batch.samples)
        for i, learner in enumerate(self.learners):
            if i not in self.retired:
                own = batch if isinstance(batch, Batch) else batch[i]
                done = learner.step(own, len(own), number, rates[i])
                out[:, i], skips[i] = (done.loss, done.norm), done.skip
        if self._teacher is not None:
            self._teacher.forget()
        return StackedStep(out[0], out[1], tuple(skips))

    def retire(self, k: int) -> None:
        """Leave candidate ``k`` as it is from now on; it costs nothing more."""
        self.retired.add(k)

    def state(self, k: int) -> dict[str, torch.Tensor]:
        """Copies of candidate ``k``'s weights and buffers by name, averaged where its recipe says so."""
        with self.learners[k].averaged():
            return {n: v.detach().clone() for n, v in self.learners[k].network.state_dict().items()}

    @torch.no_grad()
    def outputs(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """As ``StackedLearner.outputs``."""
        laid = in_layout(inputs, self._layout)
        with _averaged(self.learners):
            scores = [
                class_output(call_module(lr.network.eval(), laid, self.signature), self._output) for lr in self.learners
            ]
        return torch.stack(scores)


@contextlib.contextmanager
def _averaged(learners: Iterable[Learner]) -> Iterator[None]:
    """Inside, the networks hold their averaged weights."""
    with contextlib.ExitStack() as held:
        for learner in learners:
            held.enter_context(learner.averaged())
        yield
