"""Every error Speedwell raises: one root, a class per situation that a caller can act on.

The message says what is wrong, with the value received; ``fix`` says the way out, as a command where there is one.
``exit_code`` is what the command line ends with; it is stable and documented in ``docs/errors.md``.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BundleError",
    "BundleSignatureError",
    "BundleVerificationError",
    "CorruptSampleError",
    "DataError",
    "DataNotFoundError",
    "DivergenceError",
    "DuplicateNameError",
    "EmptySplitError",
    "EngineError",
    "EngineUnavailableError",
    "InputMismatchError",
    "JobError",
    "LabelMismatchError",
    "MissingExtraError",
    "ModelError",
    "ModelNotFoundError",
    "OutputError",
    "PassError",
    "PlanError",
    "PreconditionError",
    "PrivacyError",
    "PromiseError",
    "ResumeError",
    "RunError",
    "SingleClassError",
    "SpeedwellError",
    "TrainingError",
    "UnknownNameError",
    "UnsafeModelError",
    "UnsupportedError",
    "UnsupportedModelError",
    "UsageError",
    "WeightsMismatchError",
    "WorkerLostError",
]


_CHECK_PATH = "Check the path; it is read from the folder that you are in."


class SpeedwellError(Exception):
    """Root of all errors. ``what`` holds the fact and the value, ``fix`` the way out (may be empty)."""

    exit_code: ClassVar[int] = 1
    usual_fix: ClassVar[str] = ""
    """The way out where whoever raises it knows none nearer to the case."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix or self.usual_fix

    def __str__(self) -> str:
        return f"{self.what}\n{self.fix}" if self.fix else self.what

    def as_dict(self) -> dict[str, Any]:
        """The same facts for ``--json``: {"error", "what", "fix", "exit_code"}."""
        return {"error": type(self).__name__, "what": self.what, "fix": self.fix, "exit_code": self.exit_code}


class UsageError(SpeedwellError):
    """An argument has a value that cannot be used."""

    exit_code = 2


class UnknownNameError(UsageError):
    """No engine, pass, task or source of that name."""


class DuplicateNameError(SpeedwellError):
    """A plug-in brings a name that is taken already."""

    exit_code = 2


class ModelError(SpeedwellError):
    """The model cannot be used."""

    exit_code = 3


class ModelNotFoundError(ModelError):
    """Nothing lies at the model reference."""

    usual_fix = _CHECK_PATH


class UnsafeModelError(ModelError):
    """Opening the file can run code, or reaches outside its folder."""


class UnsupportedModelError(ModelError):
    """The file or network is of a kind that Speedwell does not open."""


class WeightsMismatchError(ModelError):
    """The weights do not fit the network (missing, unexpected or misshapen tensors)."""


class InputMismatchError(ModelError):
    """The samples do not fit the model's inputs."""


class DataError(SpeedwellError):
    """The data cannot be used."""

    exit_code = 4


class DataNotFoundError(DataError):
    """Nothing lies at the data path."""

    usual_fix = _CHECK_PATH


class EmptySplitError(DataError):
    """A split that is needed has no sample left."""


class LabelMismatchError(DataError):
    """The labels do not match the model's outputs."""


class SingleClassError(DataError):
    """All labels are of one class, so accuracy says nothing."""


class CorruptSampleError(DataError):
    """One sample cannot be read (reported; fatal only when too many are)."""


class EngineError(SpeedwellError):
    """An engine failed."""

    exit_code = 5


class EngineUnavailableError(EngineError):
    """The engine cannot run on this machine; the message says why not."""


class PlanError(EngineError):
    """A plan of the native engine is not well formed."""


class UnsupportedError(EngineError):
    """The native engine lacks something that the model needs; the message names it."""


class MissingExtraError(SpeedwellError):
    """An optional library is not installed; the message names the extra."""

    exit_code = 6


class BundleError(SpeedwellError):
    """A bundle cannot be written or used."""

    exit_code = 7


class BundleVerificationError(BundleError):
    """A bundle's files are not what its manifest says."""


class BundleSignatureError(BundleError):
    """A bundle is unsigned, or signed by a key that is not trusted here."""


class RunError(SpeedwellError):
    """A run cannot be started or continued."""

    exit_code = 8


class ResumeError(RunError):
    """The run folder does not match what is to be resumed."""


class OutputError(RunError):
    """The output place cannot be written."""


class PassError(SpeedwellError):
    """A pass failed."""

    exit_code = 9


class PreconditionError(PassError):
    """A pass does not apply to this model (the search goes on without it)."""


class PromiseError(PassError):
    """A pass returned a model that breaks the pass's own promise."""


class JobError(SpeedwellError):
    """A job in a worker process failed. ``kind`` is a ``core.FailureKind`` value."""

    exit_code = 10

    def __init__(self, what: str, fix: str = "", kind: str = "error") -> None:
        super().__init__(what, fix)
        self.kind = kind


class TrainingError(SpeedwellError):
    """Training cannot go on."""

    exit_code = 11


class DivergenceError(TrainingError):
    """The loss left all bounds, or was not finite for many steps; the last good checkpoint is kept."""


class WorkerLostError(TrainingError):
    """A process of a parallel training ended in the middle; the run can be resumed."""


class PrivacyError(TrainingError):
    """Something in the recipe or network would void the privacy that was asked for."""
