"""The contracts between rooms that are not a ``Pass``: Source, Task, Engine, Session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from .context import Arrays
from .evidence import Evidence
from .hardware import Hardware
from .model import Form, Model
from .workload import Workload

__all__ = ["Availability", "Engine", "Keeps", "OperatorTime", "Session", "Source", "Task"]


@dataclass(frozen=True)
class Availability:
    """Whether an engine runs here, its version, and why not (with the fix) where it does not."""

    ok: bool
    version: str = ""
    why_not: str = ""


@dataclass(frozen=True)
class OperatorTime:
    """Time of one operator kind within one run: mean seconds over the profiled runs, and how many nodes it has."""

    operator: str
    seconds: float
    count: int


@runtime_checkable
class Session(Protocol):
    """A compiled model that answers. Not shared between threads."""

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Outputs by the model's output names, in the signature's order. Any batch and sequence size the signature
        allows is accepted; the compiled workload's sizes are the fast ones.
        """
        ...

    def profile(self, inputs: Arrays, runs: int) -> tuple[OperatorTime, ...]:
        """Time by operator, largest first; empty where the engine cannot say."""
        ...

    def facts(self) -> dict[str, str]:
        """What really runs: ``provider``, ``precision``, ``threads``; strings only."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Engine(Protocol):
    """A compiler or library that runs models."""

    name: str

    def availability(self, hardware: Hardware) -> Availability:
        """Never raises; fast (no heavy import)."""
        ...

    def reads(self, form: Form, traits: frozenset[str]) -> str:
        """ "" where a model of this form and traits can be compiled, else the reason why not."""
        ...

    def compile(self, model: Model, workload: Workload, scratch: Path) -> Session:
        """Raises ``EngineError`` with the engine's own words where it cannot."""
        ...


@runtime_checkable
class Keeps(Protocol):
    """An engine that can keep what it makes of a model for the next process that compiles it."""

    def keeping(self) -> Engine:
        """The same engine, which may write beside the model's payload. The workflow asks for it where payloads lie in
        a folder of its own, which goes with all that is in it.
        """
        ...


@runtime_checkable
class Source(Protocol):
    """Opens one kind of model reference."""

    name: str

    def claims(self, reference: str) -> bool:
        """True where the reference is of this kind, judged by its spelling and, for a path, its ending."""
        ...

    def load(self, reference: str, weights: Path | None, scratch: Path) -> Model:
        """The model, its payload under ``scratch``. Raises a ``ModelError``. For torch forms the signature's
        shapes may be partial: the task's transform completes them (``sources.signature``).
        """
        ...


@runtime_checkable
class Task(Protocol):
    """What a model is for: how data is read, how an answer is judged."""

    @property
    def name(self) -> str: ...

    @property
    def paired_test(self) -> Literal["score", "bootstrap"]: ...

    @property
    def metric_name(self) -> str: ...

    def configured(self, options: Mapping[str, Any]) -> Task:
        """The same task with the user's options (a threshold, a score function); itself where it takes none."""
        ...

    def sample_options(self, samples: Any) -> dict[str, Any]:
        """What the samples themselves say of the preprocessing, as further options for ``transform``."""
        ...

    def read(self, data: Any, options: Mapping[str, Any]) -> Any:
        """``inputs.Samples``, lazily; bad samples are listed on it, not fatal. Raises a ``DataError``."""
        ...

    def transform(self, model: Model, options: Mapping[str, Any]) -> Any:
        """The declared ``inputs.Transform``: from the user's options first, then the model's hints, then defaults."""
        ...

    def evidence(self, outputs: Arrays, targets: Any) -> Evidence:
        """Per sample: right or wrong, a score, or what was found. ``targets``: int64 [n], -1 where unlabelled (then no
        scores); for object detection the ``inputs.Objects`` of each picture, as ``EncodedSplit.truth`` gives them.
        Raises ``LabelMismatchError`` where a label is outside the outputs.
        """
        ...

    def metric(self, evidence: Evidence, index: np.ndarray | None = None) -> float:
        """The score in 0..1 on all samples, or on a resample given by ``index``."""
        ...

    def loss(self, outputs: Any, targets: Any) -> Any:
        """Training loss of torch tensors. Raises ``UsageError`` where class numbers cannot train this task."""
        ...
