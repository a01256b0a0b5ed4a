"""``Updates``: SGD or AdamW of K candidates, each with its own rate, decay, momentum and count of steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..optimizers import make_optimizer
from ..recipe import Recipe
from .stack import Stack

__all__ = ["Updates"]

Group = tuple[tuple[str, ...], dict[str, Any]]


class Updates:
    """The very kernels that ``make_optimizer``'s optimizers end in, called on rows of the stack: one pass over a
    candidate's values, gradients and moments. (Tried: one update of all with rates as vectors, which is eight passes of
    elementwise operations. It took 3 times the processor time on 384-256-150 and 384-150, 1.4 times on 64-64-10.)

    Candidates whose settings agree are updated in one call; a candidate that is left out keeps values, moments and
    count. ``moments``: tensors [K, ...] by parameter and kind; ``counts``: updates so far.
    """

    def __init__(self, stack: Stack, recipes: Sequence[Recipe]) -> None:
        self._adam = recipes[0].optimizer.name == "adamw"
        self.counts = [0] * len(stack)
        kinds = ("first", "second") if self._adam else ("momentum",)
        self.moments = {k: {n: torch.zeros_like(p.detach()) for n, p in stack.trained.items()} for k in kinds}
        self._names = tuple(stack.trained)
        self._rows = {n: p.detach().unbind(0) for n, p in stack.trained.items()}
        self._kept = {k: {n: v.unbind(0) for n, v in values.items()} for k, values in self.moments.items()}
        self._groups = [_groups(network, recipe) for network, recipe in zip(stack.networks, recipes, strict=True)]

    @torch.no_grad()
    def step(self, gradients: dict[str, Sequence[torch.Tensor]], rates: Sequence[float], which: Sequence[int]) -> None:
        """Update the candidates in ``which``. ``gradients``: rows by parameter; ``rates``: learning rate of each."""
        calls: dict[tuple[Any, ...], list[tuple[int, str]]] = {}
        for k in which:
            self.counts[k] += 1
            for names, options in self._groups[k]:
                rate = rates[k] * options["scale"]
                if self._adam:
                    key = (self.counts[k], rate, options["weight_decay"], options["betas"], options["eps"])
                else:
                    key = (self.counts[k] == 1, rate, options["weight_decay"], options["momentum"], options["nesterov"])
                calls.setdefault(key, []).extend((k, n) for n in names if n in gradients)
        ticks = {count: torch.tensor(float(count)) for count in {self.counts[k] for k in which}}
        for key, places in calls.items():
            mine = [gradients[n][k] for k, n in places]
            if places and self._adam:
                self._adamw(key, places, mine, ticks[key[0]])
            elif places:
                self._sgd(key, places, mine)

    def _adamw(
        self, key: tuple[Any, ...], places: list[tuple[int, str]], gradients: list[torch.Tensor], tick: torch.Tensor
    ) -> None:
        _, rate, decay, (low, high), eps = key
        first, second = self._kept["first"], self._kept["second"]
        torch._fused_adamw_(
            [self._rows[n][k] for k, n in places], gradients, [first[n][k] for k, n in places],
            [second[n][k] for k, n in places], [], [tick] * len(places), lr=rate, beta1=low,
            beta2=high, weight_decay=decay, eps=eps, amsgrad=False, maximize=False,
        )  # fmt: skip

    def _sgd(self, key: tuple[Any, ...], places: list[tuple[int, str]], gradients: list[torch.Tensor]) -> None:
        begins, rate, decay, momentum, nesterov = key
        kept = self._kept["momentum"]
        torch._fused_sgd_(
            [self._rows[n][k] for k, n in places], gradients, [kept[n][k] for k, n in places] if momentum else [],
            weight_decay=decay, momentum=momentum, lr=rate, dampening=0.0, nesterov=nesterov, maximize=False,
            is_first_step=begins,
        )  # fmt: skip


def _groups(network: torch.nn.Module, recipe: Recipe) -> list[Group]:
    """Names and settings, as the optimizer of a network alone has them: one place says what is decayed."""
    names = {id(p): n for n, p in network.named_parameters()}
    groups = make_optimizer(network, recipe.optimizer).param_groups
    return [(tuple(names[id(p)] for p in g["params"]), g) for g in groups]
