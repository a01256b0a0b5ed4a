"""How far the sums of each int8 product go in 16 bits: T, the quads that are added before they are widened to 32 bits.

T is what a CPU with AVX2 and no VNNI gains by (runs.py); other CPUs do not widen at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..core.errors import PlanError
from .plan import Plan
from .runs import Runs

__all__ = ["Widening", "shares_by_length", "widenings"]

KIND = "gemm_int8"
ORDER, LENGTHS = 5, 6
"""Inputs of the product that hold its runs."""


@dataclass(frozen=True)
class Widening:
    """One int8 product of ``columns`` and ``depth``. ``operator``: its place in the plan. ``planned``: the plan has
    runs for it; without, every quad is widened (T = 1). ``shares``: T to the share of its multiply-adds that run at
    it. ``mean``: quads per widening.
    """

    operator: int
    name: str
    columns: int
    depth: int
    planned: bool
    mean: float
    shares: Mapping[int, float]


def widenings(plan: Plan, read: Callable[[Collection[str]], Mapping[str, np.ndarray]]) -> tuple[Widening, ...]:
    """Every int8 product of ``plan``, in order. ``read``: tensors by the names that the plan's constants give.

    Raises ``PlanError`` where runs are not what docs/native.md says: the executor proves them only on a CPU that uses
    them.
    """
    tensor = {constant.value: constant.tensor for constant in plan.constants}
    products = [(i, o) for i, o in enumerate(plan.operators) if o.kind == KIND and len(o.inputs) > 1]
    wanted = {tensor[v] for _, o in products for v in (o.inputs[1], *o.inputs[ORDER:]) if v in tensor}
    arrays = read(wanted)
    found = []
    for i, operator in products:
        weight = arrays.get(tensor.get(operator.inputs[1], ""))
        if weight is None or weight.ndim != 2:
            raise PlanError(f"{operator.name}: the weight is no constant [N, K]", "Lower the model again.")
        columns, depth = weight.shape
        runs = [arrays.get(tensor.get(v, "")) for v in operator.inputs[ORDER : LENGTHS + 1]]
        order, lengths = runs if len(runs) == 2 else (None, None)
        if order is None or lengths is None:
            found.append(Widening(i, operator.name, columns, depth, False, 1.0, {1: 1.0}))
            continue
        _require_runs(operator.name, order, lengths)
        found_runs = Runs(order, lengths)
        found.append(Widening(i, operator.name, columns, depth, True, found_runs.mean, found_runs.shares()))
    return tuple(found)


def shares_by_length(weighted: Iterable[tuple[Widening, int]]) -> dict[int, float]:
    """T to the share of all multiply-adds that run at it; each product with its number of them (or of rows)."""
    total: dict[int, float] = {}
    for product, count in weighted:
        for length, share in product.shares.items():
            total[length] = total.get(length, 0.0) + share * count
    whole = sum(total.values())
    return {length: total[length] / whole for length in sorted(total)} if whole else {}


def _require_runs(name: str, order: np.ndarray, lengths: np.ndarray) -> None:
    sound = order.ndim == lengths.ndim == 2 and len(order) == len(lengths)
    sound = sound and order.dtype == lengths.dtype == np.int32 and bool((lengths >= 0).all())
    if not sound or (lengths.sum(1, dtype=np.int64) != order.shape[1]).any():
        raise PlanError(f"{name}: its runs do not add up to its quads", "Lower the model again.")
