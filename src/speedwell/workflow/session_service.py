"""A session at work in its own process: what the parent times, checks and asks to answer.

``open_session`` is the importable function a ``measure.Remote`` starts; its methods answer with plain JSON or arrays.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..core.evidence import Evidence
from ..core.hardware import Hardware
from ..core.model import Model
from ..core.protocols import Engine, Keeps
from ..core.workload import Workload
from ..inputs import EncodedSplit
from ..measure import Reply, call_seconds

__all__ = ["SessionService", "kept", "open_session"]


def open_session(
    model: Model,
    engine: str,
    workload: Workload,
    feeds: tuple[Path, ...],
    scratch: Path,
    task: str = "",
    options: Any = (),
) -> SessionService:
    """Compile ``model`` on ``engine``. ``feeds``: one npz of inputs per workload, the primary one first. The payload
    lies in a folder of the workflow's: an engine that can keep what it makes of it does.

    Raises ``EngineUnavailableError`` or ``EngineError`` in the engine's own words.
    """
    from ..core.errors import EngineError, EngineUnavailableError
    from ..engines import REGISTRY

    chosen = REGISTRY.get(engine)
    available = chosen.availability(Hardware.here())
    if not available.ok:
        raise EngineUnavailableError(f"{engine}: {available.why_not}")
    if why := chosen.reads(model.form, model.traits):
        raise EngineError(f"{engine} {why}")
    scratch.mkdir(parents=True, exist_ok=True)
    session = kept(chosen).compile(model, workload, scratch)
    return SessionService(session, workload, feeds, task, dict(options or {}), model)


def kept(engine: Engine) -> Engine:
    """``engine``, keeping what it makes of payloads where it can."""
    return engine.keeping() if isinstance(engine, Keeps) else engine


class SessionService:
    """Holds one session. Times are seconds inside this process, around ``session.run`` only."""

    def __init__(
        self,
        session: Any,
        workload: Workload,
        feeds: tuple[Path, ...],
        task: str,
        options: Mapping[str, Any],
        model: Model | None = None,
    ) -> None:
        self.session = session
        self.workload = workload
        self.feeds = [_load(path) for path in feeds]
        self.inputs = self.feeds[0]
        self.task_name = task
        self.options = options
        self.model = model
        self._splits: dict[str, EncodedSplit] = {}
        self._task: Any = None

    def use(self, workload: int) -> None:
        """Time the inputs of that workload from now on."""
        self.inputs = self.feeds[workload]

    def time(self, calls: int) -> list[float]:
        """Seconds of each of ``calls`` runs."""
        return call_seconds(self.session.run, self.inputs, calls)

    def answer(self, inputs: Path) -> Reply:
        """The outputs on the inputs of an npz file."""
        return Reply(None, self.session.run(_load(inputs)))

    def outputs(self) -> Reply:
        """The outputs on the current workload's inputs."""
        return Reply(None, self.session.run(self.inputs))

    def evaluate(self, split: Path, start: int, stop: int, batch: int) -> Reply:
        """Evidence of samples ``start`` to ``stop`` of an encoded split, ``batch`` at a time.

        Answers {"kind", "seconds", "n"} and the arrays of the evidence.
        """
        data = self._split(split)
        task = self._the_task(data)
        parts, stop = [], min(stop, len(data))
        began = time.perf_counter()
        for first in range(start, stop, batch):
            index = np.arange(first, min(first + batch, stop))
            # the last batch is filled up: a session may be made for this very size
            full = np.resize(index, batch)
            outputs = {k: v[: len(index)] for k, v in self.session.run(data.batch(full)).items()}
            parts.append(task.evidence(outputs, data.truth(index)))
        if not parts:
            parts = [Evidence("binary", np.zeros(0), np.zeros(0, np.int64))]
        whole = Evidence.join(parts)
        facts = {"kind": whole.kind, "seconds": time.perf_counter() - began, "n": stop - start}
        return Reply(facts, whole.arrays())

    def doubts(self, split: Path, n: int, batch: int) -> list[str]:
        """What looks wrong with this model's own answers on the first ``n`` samples, in words."""
        data = self._split(split)
        task, n = self._the_task(data), min(n, len(data))
        if not hasattr(task, "doubts"):
            return []
        if hasattr(task, "evidence_doubts"):
            reply = self.evaluate(split, 0, n, batch)
            return list(task.evidence_doubts(Evidence.of_arrays(reply.value["kind"], reply.arrays)))
        parts = []
        for first in range(0, n, batch):
            index = np.arange(first, min(first + batch, n))
            outputs = self.session.run(data.batch(np.resize(index, batch)))
            parts.append({k: v[: len(index)] for k, v in outputs.items()})
        whole = {k: np.concatenate([p[k] for p in parts]) for k in parts[0] if all(p[k].ndim < 3 for p in parts)}
        return list(task.doubts(whole, data.targets[:n]))

    def profile(self, runs: int) -> list[dict[str, Any]]:
        """Time by operator on the current workload's inputs; empty where the engine cannot say."""
        return [asdict(row) for row in self.session.profile(self.inputs, runs)]

    def facts(self) -> dict[str, str]:
        """What really runs."""
        return {str(k): str(v) for k, v in self.session.facts().items()}

    def close(self) -> None:
        self.session.close()

    def _split(self, folder: Path) -> EncodedSplit:
        if str(folder) not in self._splits:
            self._splits[str(folder)] = EncodedSplit.open(folder)
        return self._splits[str(folder)]

    def _the_task(self, data: EncodedSplit) -> Any:
        if self._task is None:
            from ..tasks import build

            self._task = build(self.task_name, self.options, self.model, getattr(data.transform, "size", None))
        return self._task


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
