"""``Loader``: batches made ahead, in a thread, while the network computes; any place of any epoch can be the first."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from .batch import Batch, BatchMaker
from .order import epoch_batches, rank_share, sample_rng

__all__ = ["AHEAD", "Loader", "ahead"]

AHEAD = 3
"""Batches that lie ready: one is being used, one waits, one is being made. Memory grows with this alone."""


class Loader:
    """``make`` turns positions into a batch. ``batch``: samples a step over all ``world`` processes;
    this one (``rank``) gets its share. ``lengths``: tokens a sample, for batches of one length.
    """

    def __init__(
        self,
        make: BatchMaker,
        count: int,
        batch: int,
        seed: int,
        lengths: np.ndarray | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.make, self.count, self.seed = make, count, seed
        self.batch = min(batch, count)
        self._lengths, self._rank, self._world = lengths, rank, world

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return len(self.order(0))

    def order(self, epoch: int) -> list[np.ndarray]:
        """Whole batches (over all processes) of an epoch."""
        return epoch_batches(self.count, self.batch, self.seed, epoch, self._lengths)

    def some(self) -> np.ndarray:
        """One or two positions, to look at what a batch is like."""
        return self.order(0)[0][:2]

    def epoch(self, epoch: int, first: int = 0) -> Generator[tuple[Batch, int], None, None]:
        """(the process's part, size of the whole batch) from batch ``first`` of ``epoch`` on.

        What making a batch raises, is raised here. Closing the iterator ends the thread.
        """
        whole = self.order(epoch)

        def made() -> Iterator[tuple[Batch, int]]:
            for number in range(first, len(whole)):
                share = rank_share(whole[number], self._rank, self._world)
                yield self.make(share, sample_rng(self.seed, epoch, number, self._rank)), len(whole[number])

        return ahead(made, AHEAD)


def ahead(make: Callable[[], Iterator[Any]], most: int) -> Generator[Any, None, None]:
    """The items of ``make()``, made in a thread up to ``most`` ahead."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(most)
    gone = threading.Event()

    def put(kind: str, item: Any) -> bool:
        while not gone.is_set():
            try:
                ready.put((kind, item), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in make():
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:  # handed to the thread that asked, which raises it
            put("error", error)

    thread = threading.Thread(target=work, name="speedwell-loader", daemon=True)
    thread.start()
    try:
        while True:
            kind, item = ready.get()
            if kind == "error":
                raise item
            if kind == "end":
                return
            yield item
    finally:
        gone.set()
        thread.join(timeout=10)
