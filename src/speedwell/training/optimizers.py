"""The update: SGD with momentum, AdamW, Muon; which parameters are decayed; the learning rate of a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..core.errors import UsageError
from .muon import Muon
from .recipe import Optimizer, Recipe, Schedule
from .sharding import is_spread

__all__ = ["UPDATE_OPERATIONS", "freeze", "learning_rate", "make_optimizer", "rate_at", "set_learning_rate"]

UPDATE_OPERATIONS = {"sgd": 6, "adamw": 15, "muon": 8}
"""Arithmetic operations per parameter and step, counted from the update rules (decay, moments, step); Muon's matrix
products come on top (see ``Muon.operations``).
"""


def make_optimizer(network: nn.Module, choice: Optimizer) -> torch.optim.Optimizer:
    """Over the parameters that are to be trained. Groups carry ``scale``: what the learning rate is multiplied by.

    Matrices and convolutions are decayed; vectors (norms, biases) and embeddings of positions are not. The last
    linear layer's group is scaled by ``head_lr``.
    """
    head = _last_layer(network)
    groups: dict[tuple[bool, bool, bool], list[nn.Parameter]] = {}
    embeddings = {id(m.weight) for m in network.modules() if isinstance(m, nn.Embedding)}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            in_head = bool(head) and name.startswith(head)
            decayed = parameter.ndim >= 2 and "position" not in name
            # Muon is for hidden layers; tables and the last layer are not matrices that map a space onto a space
            hidden = decayed and not in_head and id(parameter) not in embeddings
            groups.setdefault((decayed, in_head, hidden), []).append(parameter)
    described: list[dict[str, Any]] = [
        {
            "params": parameters,
            "weight_decay": choice.weight_decay if decayed else 0.0,
            "scale": choice.head_lr if in_head else 1.0,
            "hidden": hidden,
        }
        for (decayed, in_head, hidden), parameters in groups.items()
    ]
    if choice.name == "sgd":
        return torch.optim.SGD(
            described, choice.lr, choice.momentum, nesterov=choice.momentum > 0, fused=_fusable(described)
        )
    if choice.name == "adamw":
        return torch.optim.AdamW(described, choice.lr, choice.betas, fused=_fusable(described))
    return Muon(described, choice.lr, choice.momentum, choice.betas)


def freeze(network: nn.Module, prefixes: Sequence[str]) -> None:
    """Parameters whose name starts with one of ``prefixes`` are not trained, all others are. Raises ``UsageError``
    for a prefix that fits none.
    """
    names = [n for n, _ in network.named_parameters()]
    for prefix in prefixes:
        if not any(n.startswith(prefix) for n in names):
            raise UsageError(f"freeze names {prefix!r}, and no parameter starts so", f"There are: {names[0]}, ...")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(prefixes)))


def rate_at(recipe: Recipe, step: int, total: int) -> float:
    """The learning rate of step ``step`` of ``total``."""
    return recipe.optimizer.lr * learning_rate(recipe.schedule, step, total)


def learning_rate(schedule: Schedule, step: int, total: int) -> float:
    """The factor in 0..1 for step ``step`` of ``total`` (from 0): a function of both alone, so there is no state."""
    warmup = max(1, round(schedule.warmup * total)) if schedule.warmup else 0
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule.name == "constant":
        return 1.0
    along = min(1.0, (step - warmup) / max(1, total - warmup))
    falls = 1 - along if schedule.name == "linear" else 0.5 * (1 + math.cos(math.pi * along))
    return schedule.final + (1 - schedule.final) * falls


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """``rate`` for every group, times the group's scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def _last_layer(network: nn.Module) -> str:
    """The name of the last linear or convolutional layer with its dot: the classifier, which fine-tuning makes anew."""
    names = [n for n, m in network.named_modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    return f"{names[-1]}." if len(names) > 1 else ""


def _fusable(groups: list[dict[str, Any]]) -> bool:
    """One pass over memory an update instead of one an operation; only for plain floats that lie here whole."""
    return all(
        p.is_floating_point() and p.dtype != torch.float16 and not is_spread(p) for g in groups for p in g["params"]
    )
