"""A plan's folder as plain records and arrays; what is in it is not trusted (the executor has stricter rules)."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..core.errors import PlanError
from .plan import Plan
from .write import PLAN, WEIGHTS

__all__ = ["read_plan", "read_tensors"]

_FIX = "Lower the model again."


def read_plan(folder: Path) -> Plan:
    """Raises ``PlanError`` where plan.json cannot be read or is not of the format."""
    try:
        content = json.loads((folder / PLAN).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise PlanError(f"cannot read {folder / PLAN}: {error}", _FIX) from error
    return Plan.from_json(content)


def read_tensors(folder: Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """These tensors of weights.safetensors. Raises ``PlanError`` where one of them is missing or cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, "numpy") as file:
            return {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise PlanError(f"cannot read {folder / WEIGHTS}: {error}", _FIX) from error
