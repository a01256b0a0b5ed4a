"""Which number formats an engine was asked for, and which this machine has."""

from __future__ import annotations

from functools import cache

from ..core.hardware import Hardware

__all__ = ["QUANTIZED", "asked", "machine", "no_bf16"]

QUANTIZED = frozenset({"static-int8", "dynamic-int8", "w4"})
"""Traits whose precision lies in the graph itself."""


@cache
def machine() -> Hardware:
    """The facts of this machine, read once per process."""
    return Hardware.here()


def asked(traits: frozenset[str]) -> str:
    """The precision that a model's traits ask the engine for: "bf16", "f16", "int8", "int4" or "float32"."""
    for trait, name in (
        ("bf16", "bf16"),
        ("f16", "f16"),
        ("w4", "int4"),
        ("static-int8", "int8"),
        ("dynamic-int8", "int8"),
    ):
        if trait in traits:
            return name
    return "float32"


def no_bf16(hardware: Hardware) -> str:
    """ "" where bfloat16 arithmetic is in the hardware, else the reason."""
    if hardware.has_bf16:
        return ""
    return f"bf16 needs avx512_bf16, amx_bf16 or Arm's bf16; this is {hardware.isa}"
