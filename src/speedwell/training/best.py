"""The weights that are handed over: averaged where the recipe says so, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from ..core.atomic import write_atomic
from ..sources import untied
from .learner import Learner
from .sharding import whole

__all__ = ["keep_best"]


def keep_best(learner: Learner, path: Path) -> None:
    """Write the network's state to a safetensors file (tied tensors once, under their first name)."""
    from safetensors.torch import save

    with learner.averaged():
        kept = untied({name: whole(value) for name, value in learner.network.state_dict().items()})
        if learner.ranks.first:
            write_atomic(path, save({name: value.contiguous() for name, value in kept.items()}))
