"""``PoissonLoader``: each sample is in each batch with one probability, independently of all others.

It is what the accountants' figures are about: with shuffled batches of one size the same noise protects less (Chua et
al. 2024, arXiv:2403.17673), and batches of texts of one length depend on the other samples' lengths.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
import torch

from ..batch import Batch, BatchMaker
from ..loader import AHEAD, Loader, ahead
from .secret import Secret

__all__ = ["PoissonLoader"]


class PoissonLoader(Loader):
    """``batch``: samples a step on average. An epoch is as many steps as see each sample once on average.

    Batches differ in size, and one may be empty: then no maker is asked, and it has no inputs. Which samples a step
    draws, and what augmentation does to them, follows from ``secret`` and the step alone.
    """

    def __init__(self, make: BatchMaker, count: int, batch: int, secret: Secret) -> None:
        super().__init__(make, count, batch, seed=0)
        self.secret = secret

    @property
    def rate(self) -> float:
        """The probability with which a step draws a sample."""
        return self.batch / self.count

    @property
    def steps(self) -> int:
        return max(1, -(-self.count // self.batch))

    def some(self) -> np.ndarray:
        return np.arange(min(2, self.count))

    def drawn(self, step: int) -> np.ndarray:
        """int64: the samples of ``step``, counted from the start of the training."""
        return np.flatnonzero(self.secret.uniform(self.count, "sample", step) < self.rate)

    def order(self, epoch: int) -> list[np.ndarray]:
        return [self.drawn(step) for step in range(epoch * self.steps, (epoch + 1) * self.steps)]

    def epoch(self, epoch: int, first: int = 0) -> Generator[tuple[Batch, int], None, None]:
        start = epoch * self.steps

        def made() -> Iterator[tuple[Batch, int]]:
            for step in range(start + first, start + self.steps):
                index = self.drawn(step)
                if len(index):
                    yield self.make(index, self.secret.generator("augment", step)), len(index)
                else:
                    yield Batch({}, torch.zeros(0, dtype=torch.int64), index), 0

        return ahead(made, AHEAD)
