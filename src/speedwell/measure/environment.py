"""The environment of a worker: repeatable, offline, quiet."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["FIXED", "thread_environment", "worker_environment"]

FIXED: Mapping[str, str] = {
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",  # the last words before a crash reach the log
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TOKENIZERS_PARALLELISM": "false",
}
_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def thread_environment(threads: int) -> dict[str, str]:
    """The variables that bound the thread pools made at import (OpenMP, MKL, OpenBLAS, ...) to ``threads``."""
    return {name: str(threads) for name in _THREADS}


def worker_environment(path: list[str], extra: Mapping[str, str]) -> dict[str, str]:
    """The variables of this process, then ``FIXED``, then ``extra``. ``path`` is the parent's ``sys.path``: the worker
    must find ``speedwell`` where the parent did, before it can be told anything.
    """
    environment = {**os.environ, **FIXED, **extra}
    environment["PYTHONPATH"] = os.pathsep.join(path)
    return environment
