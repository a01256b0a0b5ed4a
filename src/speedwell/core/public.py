"""Every public name of the room, loaded by ``speedwell.core`` at first use: ``--help`` needs no numpy."""

from __future__ import annotations

from .candidate import Candidate, Step
from .context import Arrays, Context
from .digest import array_digest, bytes_digest, path_digest
from .evidence import Evidence
from .extras import try_import
from .hardware import Hardware
from .model import Form, Model, Origin, TorchPayload
from .outcome import Failure, FailureKind, Outcome, StepEffect, Timing
from .protocols import Availability, Engine, Keeps, OperatorTime, Session, Source, Task
from .record import canonical, content_hash, decode, dumps, encode, loads
from .registry import Registry
from .result import Confirmation, Refusal, Result
from .signature import BATCH, SEQUENCE, Dim, Signature, TensorSpec
from .transformation import Kind, Pass
from .verdict import AccuracyClaim, AccuracyVerdict, Interval, Promise, SpeedClaim, SpeedVerdict
from .workload import Workload

__all__ = [
    "BATCH", "SEQUENCE", "AccuracyClaim", "AccuracyVerdict", "Arrays", "Availability", "Candidate", "Confirmation",
    "Context", "Dim", "Engine", "Evidence", "Failure", "FailureKind", "Form", "Hardware", "Interval", "Keeps", "Kind",
    "Model", "OperatorTime", "Origin", "Outcome", "Pass", "Promise", "Refusal", "Registry", "Result", "Session",
    "Signature", "Source", "SpeedClaim", "SpeedVerdict", "Step", "StepEffect", "Task", "TensorSpec", "Timing",
    "TorchPayload", "Workload", "array_digest", "bytes_digest", "canonical", "content_hash", "decode", "dumps",
    "encode", "loads", "path_digest", "try_import",
]  # fmt: skip
