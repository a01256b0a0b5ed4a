"""The settings that make sums in 16 bits longer, for CPUs that have no dot product: what both quantized forms share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...core import Hardware, Step
from ...core.errors import UsageError

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["LONGEST", "OUTPUT_DB", "ROW_LEVELS", "note_output_db", "require_sums", "sums_choices"]

LONGEST = 64
"""Quads in a run, as the native engine has them at most."""
OUTPUT_DB = "speedwell.output_db"
ROW_LEVELS = "speedwell.row_levels"
"""Names in the metadata of an ONNX file."""
SETTINGS: tuple[Mapping[str, int], ...] = ({"activation_bits": 7}, {"run": 8})
"""Best guess first: the first doubles the runs that trained weights allow, the second leaves the activations alone."""


def require_sums(name: str, activation_bits: int, run: int) -> None:
    """Raise ``UsageError`` for what is out of range."""
    if activation_bits not in (7, 8) or not 0 <= run <= LONGEST:
        raise UsageError(f"{name}: activation_bits {activation_bits}, run {run}",
                         f"activation_bits is 7 or 8, run 0 (no bound) to {LONGEST}.")  # fmt: skip


def sums_choices(name: str, hardware: Hardware) -> tuple[Step, ...]:
    """None on a machine that has a dot product: it widens every product anyway."""
    return tuple(Step(name, settings) for settings in SETTINGS) if hardware.int8_saturates else ()


def note_output_db(graph: ir.Model, costs: Mapping[str, tuple[float, float]]) -> None:
    """Write what the bound costs into the file's metadata."""
    rounded = {name: [round(db, 2) for db in pair] for name, pair in sorted(costs.items())}
    graph.metadata_props[OUTPUT_DB] = json.dumps(rounded)
