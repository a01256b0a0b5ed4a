"""Outputs of a network on a whole split, in evaluation mode, sorted so that little is padded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.signature import Signature
from ..inputs import EncodedSplit
from ..sources import call_module
from .batch import BatchMaker
from .loader import AHEAD, ahead
from .parallel import Ranks

__all__ = ["evaluated"]


def evaluated(
    network: nn.Module,
    signature: Signature,
    make: BatchMaker,
    split: EncodedSplit,
    judge: Callable[[dict[str, np.ndarray], Any, np.ndarray], Any],
    batch: int,
    ranks: Ranks | None = None,
    index: np.ndarray | None = None,
) -> tuple[list[Any], np.ndarray]:
    """(what ``judge(outputs, targets, samples)`` said of each batch, the samples in that order). With several
    processes each computes a share and all get the whole. ``index``: int64, positions in ``split``; default all.

    The network's mode is put back after it.
    """
    ranks = ranks or Ranks()
    lengths = split.lengths
    index = np.arange(len(split)) if index is None else index
    order = index if lengths is None else index[np.argsort(lengths[index], kind="stable")]
    mine = order[ranks.rank :: ranks.world]
    pieces = [mine[i : i + batch] for i in range(0, len(mine), batch)]
    before = network.training
    network.eval()
    said = []

    def made() -> Iterator[Any]:
        return (make(piece, None) for piece in pieces)

    try:
        with torch.inference_mode():
            for part in ahead(made, AHEAD):
                outputs = call_module(network, part.inputs, signature)
                arrays = {n: v.float().numpy() if v.is_floating_point() else v.numpy() for n, v in outputs.items()}
                said.append(judge(arrays, part.targets, part.samples))
    finally:
        network.train(before)
    return ranks.gathered(said), np.concatenate(ranks.gathered([mine]))
