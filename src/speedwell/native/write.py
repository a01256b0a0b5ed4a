"""Write a plan's folder: plan.json and weights.safetensors, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import OutputError, PlanError
from .plan import Plan

__all__ = ["PLAN", "WEIGHTS", "write_plan"]

PLAN, WEIGHTS = "plan.json", "weights.safetensors"


def write_plan(folder: Path, plan: Plan | Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """``folder`` is made where it is missing. plan.json comes last, so that a folder that has one has its weights.

    ``tensors``: float32, uint8, int8, int32, int64 or bool, by the names that the plan's constants give.
    Raises ``PlanError`` for a plan that JSON cannot hold (NaN, infinity), ``OutputError`` where it cannot be written.
    """
    from safetensors.numpy import save

    content = plan.to_json() if isinstance(plan, Plan) else dict(plan)
    try:
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise PlanError(f"a plan that JSON cannot hold: {error}") from error
    weights = save({name: np.asarray(array, order="C") for name, array in tensors.items()})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PLAN).unlink(missing_ok=True)
        _write(folder / WEIGHTS, weights)
        _write(folder / PLAN, text.encode())
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}", "Free space there, or choose another place."
        ) from error


def _write(path: Path, data: bytes) -> None:
    """``path`` holds what it held or ``data``, after any crash; no rest is left behind."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
