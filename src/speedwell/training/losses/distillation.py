"""Learning from a teacher: its distribution (soft), its answer (hard), its hidden layers (features, attention)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ...core.errors import UsageError
from ..recipe import Distil
from .classification import class_output

__all__ = ["Hidden", "attention_distance", "distil", "similarity_distance", "soft_loss"]

Outputs = Mapping[str, torch.Tensor]


def distil(
    choice: Distil, labels: torch.Tensor, student: Outputs, teacher: Outputs, hidden: Hidden | None = None
) -> torch.Tensor:
    """(1 - weight) * the loss on ``labels`` (a scalar, computed already) + weight * the loss on the teacher's answer
    + the weighted distances of ``hidden`` layers. All are means over the batch.
    """
    mine, its = class_output(student).float(), class_output(teacher).float().detach()
    if mine.shape != its.shape:
        raise UsageError(
            f"the student gives {list(mine.shape)}, the teacher {list(its.shape)}", "Both need the same classes."
        )
    total = (1 - choice.weight) * labels
    if choice.weight:
        total = total + choice.weight * (_hard(mine, its) if choice.hard else soft_loss(mine, its, choice.temperature))
    if hidden is not None:
        for a, b in hidden.pairs():
            if choice.features:
                total = total + choice.features * similarity_distance(a, b)
            if choice.attention:
                total = total + choice.attention * attention_distance(a, b)
    return total


def soft_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """T^2 KL(teacher / T || student / T) of logits [N, C], or of one binary column [N, 1] (Hinton et al. 2015,
    section 2: the factor keeps its gradient's size whatever T is).
    """
    if student.ndim == 1 or student.shape[1] == 1:
        student = torch.stack([torch.zeros_like(student.reshape(-1)), student.reshape(-1)], dim=1)
        teacher = torch.stack([torch.zeros_like(teacher.reshape(-1)), teacher.reshape(-1)], dim=1)
    wanted = functional.log_softmax(teacher / temperature, dim=1)
    given = functional.log_softmax(student / temperature, dim=1)
    return temperature**2 * functional.kl_div(given, wanted, reduction="batchmean", log_target=True)


def _hard(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    if student.ndim == 1 or student.shape[1] == 1:
        wanted = (teacher.reshape(-1) > 0).to(student.dtype)
        return functional.binary_cross_entropy_with_logits(student.reshape(-1), wanted)
    return functional.cross_entropy(student, teacher.argmax(dim=1))


def similarity_distance(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of the samples' similarities within the batch (Tung and Mori 2019, arXiv:1907.09682,
    equation 4): rows of X X^T, each of unit length. Any two shapes [N, ...] compare.
    """
    n = len(student)
    rows = [functional.normalize(_flat(x) @ _flat(x).T, dim=1) for x in (student, teacher)]
    return (rows[0] - rows[1]).square().sum() / n**2


def attention_distance(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Squared distance of the unit-length maps of where activation is (Zagoruyko and Komodakis 2016, arXiv:1612.03928,
    section 3.1): squares summed over channels of [N, C, H, W] or [N, L, D]. Places must agree, channels need not.
    """
    maps = [x.float().square().sum(dim=2 if x.ndim == 3 else 1).flatten(1) for x in (student, teacher)]
    if maps[0].shape != maps[1].shape:
        raise UsageError(
            f"the layers have {list(student.shape)} and {list(teacher.shape)}: their places differ",
            "Compare layers of one resolution, or use features, which compare any.",
        )
    apart = functional.normalize(maps[0], dim=1) - functional.normalize(maps[1], dim=1)
    return apart.square().sum(dim=1).mean()


def _flat(x: torch.Tensor) -> torch.Tensor:
    return x.float().flatten(1)


class Hidden:
    """Watches what named layers of student and teacher give. ``layers``: "name" or "student name:teacher name"."""

    def __init__(self, student: nn.Module, teacher: nn.Module, layers: tuple[str, ...]) -> None:
        self._seen: dict[tuple[int, str], torch.Tensor] = {}
        self._layers = [(text.partition(":")[0], text.partition(":")[2] or text) for text in layers]
        self._handles = []
        for side, network in enumerate((student, teacher)):
            there = dict(network.named_modules())
            for names in self._layers:
                if names[side] not in there:
                    raise UsageError(
                        f"there is no layer {names[side]!r}", f"There are: {', '.join(n for n in list(there)[1:30])}."
                    )
                self._handles.append(there[names[side]].register_forward_hook(self._watch(side, names[side])))

    def _watch(self, side: int, name: str) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            del module, inputs
            first = output
            while isinstance(first, (tuple, list)):
                first = first[0]
            self._seen[side, name] = first.detach() if side else first

        return keep

    def pairs(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(student's, teacher's) of the last forward passes, layer by layer."""
        return [(self._seen[0, mine], self._seen[1, its]) for mine, its in self._layers]

    def close(self) -> None:
        """Stop watching."""
        for handle in self._handles:
            handle.remove()
        self._seen.clear()
