"""``half``: the network in bfloat16, where the processor computes in it and the engine carries the change.

The payload stays the float32 one: OpenVINO takes a precision hint and torch casts the module, both from the trait. A
float16 form is left out: on CPUs it only shrinks the file, and engines widen it back before they compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..core import Context, Hardware, Kind, Model, Pass, Step
from ..core.errors import PreconditionError, PromiseError

__all__ = ["Half", "HalfTorch"]


def _steps(name: str, form: str, model: Model, hardware: Hardware) -> tuple[Step, ...]:
    fits = model.form == form and "float" in model.traits and "bf16" not in model.traits
    return (Step(name),) if fits and hardware.has_bf16 else ()


def _require(context: Context) -> None:
    if not context.hardware.has_bf16:
        raise PreconditionError(
            f"this processor does not compute in bfloat16 ({context.hardware.isa})",
            "Processors with AVX512_BF16, AMX_BF16 or Arm BF16 do.",
        )


def _same_payload(before: Model, after: Model) -> None:
    if (after.payload, after.digest) != (before.payload, before.digest):
        raise PromiseError("half must share the payload")


@dataclass(frozen=True)
class Half(Pass):
    """Adds the trait "bf16" to an ONNX form."""

    name: ClassVar[str] = "half"
    takes: ClassVar[Kind] = Kind("onnx", needs=frozenset({"float"}), forbids=frozenset({"bf16"}))
    gives: ClassVar[Kind] = Kind("onnx", needs=frozenset({"bf16"}))

    @classmethod
    def choices(cls, model: Model, hardware: Hardware) -> tuple[Step, ...]:
        return _steps(cls.name, "onnx", model, hardware)

    def requires(self, model: Model, context: Context) -> None:  # noqa: ARG002 - the contract
        _require(context)

    def apply(self, model: Model, context: Context) -> Model:  # noqa: ARG002 - the contract
        return model.with_traits("bf16")

    def ensures(self, before: Model, after: Model, context: Context) -> None:  # noqa: ARG002 - the contract
        _same_payload(before, after)


@dataclass(frozen=True)
class HalfTorch(Half):
    """Adds the trait "bf16" to a torch form."""

    name: ClassVar[str] = "half_torch"
    takes: ClassVar[Kind] = Kind("torch", needs=frozenset({"float"}), forbids=frozenset({"bf16"}))
    gives: ClassVar[Kind] = Kind("torch", needs=frozenset({"bf16"}))

    @classmethod
    def choices(cls, model: Model, hardware: Hardware) -> tuple[Step, ...]:
        return _steps(cls.name, "torch", model, hardware)
