"""What a worker process may use before it is ended."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """``seconds``: wall clock for opening and, unless a call says otherwise, for each call (inf = none).

    ``memory_bytes``: resident memory of the worker and the processes it starts, watched by the parent while it
    waits (0 = none). A worker over either limit is killed with its whole process group.
    """

    seconds: float = 600.0
    memory_bytes: int = 0

    def __post_init__(self) -> None:
        if math.isnan(self.seconds) or self.seconds <= 0:
            raise ValueError(f"seconds must be above 0, got {self.seconds}")
        if self.memory_bytes < 0:
            raise ValueError(f"memory_bytes must be 0 (none) or more, got {self.memory_bytes}")
