"""Several claims at once without more false ones: Holm's step-down rule, and the fixed sequence.

Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979) 65-70.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["fixed_sequence", "holm_holds"]


def holm_holds(p_values: Sequence[float], alpha: float = 0.05) -> tuple[bool, ...]:
    """Which claims hold, in the given order, when the chance of any false one is to stay at ``alpha``: the i-th
    smallest of k p-values (from 0) must be at most alpha / (k - i), and so must all smaller ones.
    """
    holds = [False] * len(p_values)
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda j: p_values[j])):
        if not p_values[i] <= alpha / (len(p_values) - rank):
            break
        holds[i] = True
    return tuple(holds)


def fixed_sequence(claims: Iterable[bool]) -> tuple[bool, ...]:
    """Which claims hold when they are tested at full alpha in an order fixed before: all up to the first failure."""
    out: list[bool] = []
    for claim in claims:
        out.append(claim and all(out))
    return tuple(out)
