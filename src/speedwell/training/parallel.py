"""``Ranks``: this process among those that train together (torch.distributed, gloo), or alone."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import nn

from ..core.errors import UsageError, WorkerLostError

__all__ = ["Ranks", "joined"]

PATIENCE = timedelta(minutes=10)
"""A collective that waits longer has lost a process that nobody saw die."""


@dataclass(frozen=True)
class Ranks:
    """``rank`` of ``world`` processes; ``sharded``: the network's weights are spread over them (FSDP)."""

    rank: int = 0
    world: int = 1
    sharded: bool = False

    @property
    def first(self) -> bool:
        """True in the process that writes and speaks."""
        return self.rank == 0

    def wrapped(self, network: nn.Module) -> nn.Module:
        """``network`` whose gradients are averaged over the processes during the backward pass."""
        if self.world == 1:
            return network
        if self.sharded:
            from .sharding import shard

            return shard(network)
        from torch.nn.parallel import DistributedDataParallel

        # With this torch keeps the buckets that it made first. Others would be summed in another order, and a resumed
        # run would not be bit for bit the uninterrupted one (three processes and more). It warns where all are used.
        warnings.filterwarnings("ignore", message="find_unused_parameters=True was specified")
        # buffers are averaged after each step instead (``average_buffers``)
        return DistributedDataParallel(
            network, forward_sync_buffers=False, gradient_as_bucket_view=True, find_unused_parameters=True
        )

    def worst(self, code: int) -> int:
        """The largest ``code`` of all processes, the same answer on each."""
        return int(self._reduced([float(code)], "MAX")[0])

    def average_buffers(self, buffers: Sequence[torch.Tensor]) -> None:
        """Float buffers become their mean over the processes: each normalises by its own part of the batch, and the
        statistics that are kept are of all of it, the same on each.
        """
        floats = [b for b in buffers if b.is_floating_point()]
        if self.world == 1 or not floats:
            return
        flat = torch.cat([b.reshape(-1) for b in floats])
        self._together(lambda: torch.distributed.all_reduce(flat))
        flat /= self.world
        for buffer, mean in zip(floats, torch.split(flat, [b.numel() for b in floats]), strict=True):
            buffer.copy_(mean.view_as(buffer))

    def summed(self, value: float) -> float:
        """The sum over processes."""
        return self._reduced([value], "SUM")[0]

    def agreed(self, stop: bool, save: bool, seconds: float) -> tuple[bool, bool, float]:
        """Whether any process wants to stop, or to save, and the largest ``seconds``: the same on each."""
        stopping, saving, longest = self._reduced([float(stop), float(save), seconds], "MAX")
        return bool(stopping), bool(saving), longest

    def gathered(self, items: list[Any]) -> list[Any]:
        """The items of all processes, in the order of ranks. They travel by pickle between processes of one run."""
        if self.world == 1:
            return items
        every: list[Any] = [None] * self.world
        self._together(lambda: torch.distributed.all_gather_object(every, items))
        return [item for part in every for item in part]

    def lost(self, error: BaseException) -> BaseException:
        """``error``, or a ``WorkerLostError`` where it is the transport's word for a process that is gone."""
        told = str(error)
        if any(word in told for word in ("gloo", "Connection", "Broken pipe", "peer")):
            return WorkerLostError(
                f"another process of this training is gone: {told.splitlines()[0]}",
                "Go on from the last checkpoint with --resume.",
            )
        return error

    def barrier(self) -> None:
        """Wait for all."""
        self.worst(0)

    def leave(self) -> None:
        """The last meeting: nobody closes what another one still listens to, and gloo's threads hold nothing of
        Python's. The thread that computed the last collective frees its tensor after the answer is there; where Python
        is ending by then, it is not given the interpreter that it needs for this, and the process aborts ("terminate
        called without an active exception", torch 2.13).
        """
        last = torch.zeros(1)
        self._together(lambda: torch.distributed.all_reduce(last))
        while last._use_count() > 1:  # type: ignore[attr-defined]
            time.sleep(1e-3)
        time.sleep(1e-2)  # the other thread, for what it computed before: sleeping leaves the interpreter to it

    def _reduced(self, values: list[float], how: str) -> list[float]:
        """``values``, summed or at their largest over the processes ("SUM", "MAX"), in float64."""
        if self.world == 1:
            return values
        found = torch.tensor(values, dtype=torch.float64)
        self._together(lambda: torch.distributed.all_reduce(found, getattr(torch.distributed.ReduceOp, how)))
        return [float(v) for v in found]

    def _together(self, collective: Callable[[], Any]) -> None:
        try:
            collective()
        except RuntimeError as error:
            raise self.lost(error) from error

    @contextlib.contextmanager
    def alone(self, network: nn.Module) -> Iterator[None]:
        """Inside, gradients stay on this process: for all parts of a batch but the last."""
        if self.world == 1:
            yield
        elif self.sharded:
            network.set_requires_gradient_sync(False)  # type: ignore[operator]
            yield
            network.set_requires_gradient_sync(True)  # type: ignore[operator]
        else:
            with network.no_sync():  # type: ignore[operator]
                yield


@contextlib.contextmanager
def joined(sharded: bool = False) -> Iterator[Ranks]:
    """The ranks that torchrun's variables (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT) name; alone without them."""
    if not {"RANK", "WORLD_SIZE"} & set(os.environ):
        yield Ranks()
        return
    try:
        rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"RANK is {os.environ.get('RANK')!r} and WORLD_SIZE {os.environ.get('WORLD_SIZE')!r}",
            "Start it with torchrun, or with --processes N.",
        ) from error
    if world == 1:
        yield Ranks()
        return
    try:
        torch.distributed.init_process_group("gloo", rank=rank, world_size=world, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise WorkerLostError(f"process {rank} of {world} cannot join the others: {error}") from error
    try:
        yield (ranks := Ranks(rank, world, sharded))
        ranks.leave()
    finally:
        torch.distributed.destroy_process_group()
