"""What is timed: one batch of one shape, on so many threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Workload"]


@dataclass(frozen=True)
class Workload:
    """``shapes`` gives each input's full shape, batch included; ``name`` says which part of the data it stands for
    ("all", "median length", "95th-percentile length", "user").
    """

    batch: int
    threads: int
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    name: str = "all"
    scenario: Literal["latency", "throughput"] = "latency"

    def __post_init__(self) -> None:
        if self.batch < 1 or self.threads < 1:
            raise ValueError(f"batch and threads must be at least 1, got {self.batch} and {self.threads}")

    @property
    def label(self) -> str:
        """ "batch 1, 2 threads, median length" """
        words = [f"batch {self.batch}", f"{self.threads} thread{'s' if self.threads > 1 else ''}"]
        return ", ".join(words + ([self.name] if self.name != "all" else []))
