"""One contender of ``native.py`` at work in a process of its own: opened, timed, asked for its outputs."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from native_runners import RUNNERS
from speedwell.measure import Reply, call_seconds
from speedwell.measure.process import peak_bytes

__all__ = ["Service", "open_contender"]

BUSY = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
print("busy", flush=True)
while True:
    pass
"""
"""Holds the last core that this process may use, at full speed."""


def open_contender(runner: str, product: Any, feed: Path, threads: int, options: Mapping[str, Any]) -> Service:
    """``options`` are the runner's; ``busy`` among them: a second process holds one core from then on. It is in this
    worker's process group, so it sleeps and ends with it.
    """
    inputs = _load(feed)
    for library in RUNNERS[runner].libraries:
        importlib.import_module(library)
    imported, began = peak_bytes(os.getpid()), time.perf_counter()
    run, facts = RUNNERS[runner].open(product, inputs, threads, options)
    run(inputs)
    facts |= {"imported": imported, "open_seconds": time.perf_counter() - began, "peak": peak_bytes(os.getpid())}
    return Service(run, inputs, facts, bool(options.get("busy")))


class Service:
    """Times are seconds inside this process, around the call only."""

    def __init__(self, run: Any, inputs: dict[str, np.ndarray], facts: dict[str, Any], busy: bool) -> None:
        self.run = run
        self.inputs = inputs
        self.about = facts
        self.batch = len(next(iter(inputs.values())))
        self.busy: Any = None
        if busy:
            self.busy = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
            self.busy.stdout.readline()

    def time(self, calls: int) -> list[float]:
        """Seconds of each of ``calls`` runs."""
        return call_seconds(self.run, self.inputs, calls)

    def outputs(self, checks: Path) -> Reply:
        """The output on every sample of an npz file, a batch at a time."""
        arrays = _load(checks)
        count = len(next(iter(arrays.values())))
        parts = [
            np.array(self.run({n: a[i : i + self.batch] for n, a in arrays.items()}))
            for i in range(0, count, self.batch)
        ]
        return Reply(None, {"output": np.concatenate(parts)})

    def facts(self) -> dict[str, Any]:
        """What the runner says, ``imported`` and ``peak`` (bytes: with the libraries only, and after the first run) and
        ``open_seconds`` (the first run included).
        """
        return self.about


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
