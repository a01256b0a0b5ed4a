"""Records, protocols and facts that every room shares. Imports numpy and the standard library only.

The names below are loaded at first use, so that importing ``core.errors`` alone costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .public import (
        BATCH,
        SEQUENCE,
        AccuracyClaim,
        AccuracyVerdict,
        Arrays,
        Availability,
        Candidate,
        Confirmation,
        Context,
        Dim,
        Engine,
        Evidence,
        Failure,
        FailureKind,
        Form,
        Hardware,
        Interval,
        Keeps,
        Kind,
        Model,
        OperatorTime,
        Origin,
        Outcome,
        Pass,
        Promise,
        Refusal,
        Registry,
        Result,
        Session,
        Signature,
        Source,
        SpeedClaim,
        SpeedVerdict,
        Step,
        StepEffect,
        Task,
        TensorSpec,
        Timing,
        TorchPayload,
        Workload,
        array_digest,
        bytes_digest,
        canonical,
        content_hash,
        decode,
        dumps,
        encode,
        loads,
        path_digest,
        try_import,
    )

__all__ = [
    "BATCH", "SEQUENCE", "AccuracyClaim", "AccuracyVerdict", "Arrays", "Availability", "Candidate", "Confirmation",
    "Context", "Dim", "Engine", "Evidence", "Failure", "FailureKind", "Form", "Hardware", "Interval", "Keeps", "Kind",
    "Model", "OperatorTime", "Origin", "Outcome", "Pass", "Promise", "Refusal", "Registry", "Result", "Session",
    "Signature", "Source", "SpeedClaim", "SpeedVerdict", "Step", "StepEffect", "Task", "TensorSpec", "Timing",
    "TorchPayload", "Workload", "array_digest", "bytes_digest", "canonical", "content_hash", "decode", "dumps",
    "encode", "loads", "path_digest", "try_import",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import public

    globals().update({n: getattr(public, n) for n in __all__})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
