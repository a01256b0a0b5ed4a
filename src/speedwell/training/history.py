"""``History``: every row of a training, as JSON lines and TensorBoard events; true also after a kill and a resume."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..core.atomic import write_atomic
from ..core.errors import MissingExtraError
from ..core.extras import try_import
from .watch import Row

__all__ = ["History", "read_history"]

FILE, EVENTS = "history.jsonl", "tensorboard"


class History:
    """Rows go to ``folder/history.jsonl``, and to ``folder/tensorboard`` where the tensorboard package is installed.

    Opened at ``step``, rows after it are dropped: they belong to work that a kill has undone and that is done again.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        self._path = folder / FILE
        kept = [row for row in read_history(folder) if row["step"] <= step]
        write_atomic(self._path, "".join(json.dumps(row) + "\n" for row in kept).encode())
        self._events = _events(folder / EVENTS, step)  # writes at once, and may fail for it: nothing is open yet
        self._file = self._path.open("a", encoding="utf-8")

    def add(self, row: Row) -> None:
        self._file.write(json.dumps({k: v for k, v in asdict(row).items() if v is not None}) + "\n")
        self._file.flush()
        if self._events is None:
            return
        values = {
            "train/loss": row.loss,
            "train/learning_rate": row.rate,
            "train/gradient_norm": row.norm,
            "train/samples_per_second": row.speed,
            "validation/metric": row.metric,
        }
        for name, value in values.items():
            if value is not None:
                self._events.add_scalar(name, value, row.step)

    def close(self) -> None:
        self._file.close()
        if self._events is not None:
            self._events.close()


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The rows there are; a last line that a kill tore is left out."""
    path = folder / FILE
    rows: list[dict[str, Any]] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
    return rows


def _events(folder: Path, step: int) -> Any:
    try:
        try_import("tensorboard")
    except MissingExtraError:
        return None  # the JSON lines hold the same; the extra is a viewer's format
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensorboard's own imports
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
