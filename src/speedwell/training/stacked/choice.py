"""``pays``: whether candidates are trained faster in one batch or in turn, on this machine, by trying both."""

from __future__ import annotations

import contextlib
import copy
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np
import torch
from torch import nn

from ...core.errors import UsageError
from ...core.signature import Signature
from ..batch import Batch
from ..recipe import Recipe
from .learner import StackedLearner
from .shared import SharedLearner

__all__ = ["Pays", "learner_for", "pays"]

WORTH = 1.1
"""Together must be faster by this much: short timings on a shared machine differ by as much."""
ROUNDS = (3, 25)
HOPELESS = 2.0
"""A first step this much slower than the candidates in turn ends the measurement."""


@dataclass(frozen=True)
class Pays:
    """Seconds of one step of all candidates, median. ``why``: what keeps them from one batch, "" where nothing does."""

    together: float | None
    in_turn: float
    why: str = ""

    @property
    def ratio(self) -> float:
        """In turn over together: above 1 where one batch is faster. 0 where it cannot be."""
        return 0.0 if self.together is None else self.in_turn / self.together

    @property
    def way(self) -> Literal["together", "in turn"]:
        return "together" if self.ratio >= WORTH else "in turn"


def pays(
    networks: Sequence[nn.Module],
    recipes: Sequence[Recipe],
    signature: Signature,
    batch: Batch,
    teacher: nn.Module | None = None,
    threads: int | None = None,
    seconds: float = 1.0,
) -> Pays:
    """Train copies for up to ``seconds`` (at least 3 steps each way, warm-up apart) on ``batch`` with ``threads``.

    Networks, generators and the number of threads are left as they are. A teacher is asked once a step in both ways.
    """
    with _as_it_was(threads):
        shared = SharedLearner(copy.deepcopy(list(networks)), recipes, signature, teacher)
        rates = [r.optimizer.lr for r in recipes]
        try:
            stacked = StackedLearner(copy.deepcopy(list(networks)), recipes, signature, teacher)
            _seconds(stacked, batch, 0, rates)
        except (UsageError, RuntimeError) as error:
            # vmap has no rule for every operation: then it says so with a RuntimeError
            _seconds(shared, batch, 0, rates)
            return Pays(
                None, median(_seconds(shared, batch, i, rates) for i in range(1, 4)), str(error).splitlines()[0]
            )
        _seconds(shared, batch, 0, rates)
        taken: tuple[list[float], list[float]] = ([], [])
        began = time.perf_counter()
        for number in range(1, ROUNDS[1] + 1):
            taken[1].append(_seconds(shared, batch, number, rates))
            taken[0].append(_seconds(stacked, batch, number, rates))
            if taken[0][0] > HOPELESS * taken[1][0] or (
                number >= ROUNDS[0] and time.perf_counter() - began > seconds
            ):  # fmt: skip
                break
        return Pays(median(taken[0]), median(taken[1]))


def learner_for(
    networks: Sequence[nn.Module],
    recipes: Sequence[Recipe],
    signature: Signature,
    batch: Batch,
    teacher: nn.Module | None = None,
    threads: int | None = None,
) -> StackedLearner | SharedLearner:
    """The learner that is faster here, for ``train_together``. Candidates that do not fit into one batch go in turn."""
    found = pays(networks, recipes, signature, batch, teacher, threads)
    kind = StackedLearner if found.way == "together" else SharedLearner
    return kind(networks, recipes, signature, teacher)


def _seconds(learner: StackedLearner | SharedLearner, batch: Batch, number: int, rates: Sequence[float]) -> float:
    began = time.perf_counter()
    learner.step(batch, number, rates)
    return time.perf_counter() - began


@contextlib.contextmanager
def _as_it_was(threads: int | None) -> Iterator[None]:
    """Inside, ``threads`` threads; after it, generators and threads are those of before."""
    before, kept, drawn = torch.get_num_threads(), random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.set_num_threads(threads or before)
            yield
    finally:
        torch.set_num_threads(before)
        random.setstate(kept)
        np.random.set_state(drawn)
