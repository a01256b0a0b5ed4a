"""Starts the worker processes of one run: limits, threads and log places in one spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.hardware import Hardware
from ..core.model import Model
from ..core.workload import Workload
from ..measure import Limits, Remote, Reply, run_job, thread_environment
from .session_service import open_session

__all__ = ["MEMORY_SHARE", "Workers"]

MEMORY_SHARE = 0.8
"""A worker may use this share of the machine's memory; beyond it the machine would swap and every timing lie."""


@dataclass
class Workers:
    """``scratch`` holds logs and whatever engines write; ``threads`` bounds every thread pool of every worker."""

    scratch: Path
    hardware: Hardware
    threads: int
    _count: int = field(default=0, init=False)

    def job(self, function: Callable[..., Any], seconds: float, /, **arguments: Any) -> Reply:
        """Run one function in a process of its own. Raises what ``measure.run_job`` raises."""
        return run_job(
            function, arguments, Limits(seconds, self._memory), self.scratch, thread_environment(self.threads)
        )

    def session(
        self,
        model: Model,
        engine: str,
        workload: Workload,
        feeds: tuple[Path, ...],
        seconds: float,
        task: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> Remote:
        """Open a session in a process of its own; ``seconds`` bounds opening and each later call."""
        self._count += 1
        return Remote.open(
            open_session,
            {
                "model": model,
                "engine": engine,
                "workload": workload,
                "feeds": feeds,
                "scratch": self.scratch / f"session-{self._count}",
                "task": task,
                "options": dict(options or {}),
            },
            Limits(seconds, self._memory),
            self.scratch,
            thread_environment(workload.threads),
        )

    @property
    def _memory(self) -> int:
        return int(self.hardware.memory_bytes * MEMORY_SHARE)
