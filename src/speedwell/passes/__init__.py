"""Passes: what turns a model into another one. Importing this room imports no torch, onnx or engine."""

from __future__ import annotations

from dataclasses import fields

from ..core import Pass, Registry, Step
from ..core.errors import UsageError
from . import reference
from .fuse import Fuse
from .half import Half, HalfTorch
from .quantize import QuantizeDynamic, QuantizeStatic
from .to_onnx import ToOnnx

__all__ = [
    "BUILTINS",
    "REGISTRY",
    "Fuse",
    "Half",
    "HalfTorch",
    "QuantizeDynamic",
    "QuantizeStatic",
    "ToOnnx",
    "build",
    "reference",
]

BUILTINS: tuple[type[Pass], ...] = (ToOnnx, Fuse, QuantizeStatic, QuantizeDynamic, Half, HalfTorch)
REGISTRY: Registry[Pass] = Registry("speedwell.passes", ((p.name, p) for p in BUILTINS))
"""Name -> the pass with default parameters (``Registry.get`` calls what it finds, for plug-ins as well)."""


def build(step: Step) -> Pass:
    """The pass of ``step`` with its parameters.

    Raises ``UnknownNameError`` for a name that is not there, ``UsageError`` for a parameter that the pass lacks or for
    a value of another type than the default's.
    """
    default = REGISTRY.get(step.name)
    known = {f.name: getattr(default, f.name) for f in fields(default)}
    for name, value in step.params.items():
        if name not in known:
            there = ", ".join(known) or "none"
            raise UsageError(f"the pass {step.name} has no parameter {name!r}", f"Its parameters: {there}.")
        if not _fits(value, known[name]):
            raise UsageError(
                f"{step.name}: {name} is {value!r}",
                f"It is of type {type(known[name]).__name__}, like {known[name]!r}.",
            )
    return type(default)(**dict(step.params))


def _fits(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float))
    return default is None or isinstance(value, type(default))
