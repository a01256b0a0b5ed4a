"""The weights that are handed over: averaged where the recipe says so, written whole or not at all."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..core.atomic import write_atomic
from .learner import Learner
from .sharding import is_spread, whole

__all__ = ["keep_best"]


def keep_best(learner: Learner, path: Path) -> None:
    """Write the network's state to a safetensors file (tied tensors once, under their first name)."""
    from safetensors.torch import save

    applied = learner.average.applied() if learner.average is not None else contextlib.nullcontext()
    with applied:
        kept, seen = {}, set()
        for name, value in learner.network.state_dict().items():
            place = id(value) if is_spread(value) else value.data_ptr()
            if value.numel() and place in seen:
                continue
            seen.add(place)
            kept[name] = whole(value.detach()).contiguous()
        if learner.ranks.first:
            write_atomic(path, save(kept))
