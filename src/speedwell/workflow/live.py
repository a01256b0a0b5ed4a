"""Live objects given in Python: an ``nn.Module``, datasets, iterables. What is a path stays a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import UsageError

__all__ = ["Live", "take_live"]


@dataclass(frozen=True, eq=False)
class Live:
    """``reference``: the model's, or "live" with ``module``. ``paths``: splits that are paths; ``sets``: all of them
    where one is a live object (they are then read in this process).
    """

    reference: str
    module: Any = None
    paths: Mapping[str, str | None] = field(default_factory=dict)
    sets: Mapping[str, Any] | None = None


def take_live(model: Any, splits: Mapping[str, Any]) -> Live:
    """Tell paths from live objects. Raises ``UsageError`` for a model that is neither a reference nor a module."""
    module = None
    if isinstance(model, (str, Path)):
        reference = str(model)
    elif hasattr(model, "state_dict") and hasattr(model, "forward"):
        reference, module = "live", model
    else:
        raise UsageError(
            f"the model is a {type(model).__name__}", "Give an nn.Module, or a reference such as 'resnet.onnx'."
        )
    given = {name: value for name, value in splits.items() if value is not None}
    alive = {name for name, value in given.items() if not isinstance(value, (str, Path))}
    paths = {name: None if name in alive or name not in given else str(given[name]) for name in splits}
    if alive:
        return Live(reference, module, {**dict.fromkeys(splits), "data": "live"}, given)
    return Live(reference, module, paths, None)
