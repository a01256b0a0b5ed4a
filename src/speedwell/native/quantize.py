"""QuantizeLinear and DequantizeLinear with one scale for the whole tensor become ``quantize`` and ``dequantize``.

Signed activations become unsigned ones with a zero point 128 higher: the same steps, and the bytes that the products
read. A Clip before a QuantizeLinear becomes its ``low`` and ``high``: rounding is monotone, so to cut the steps is to
cut the floats, and a range that the graph itself promises lets sums stay in 16 bits longer (runs.py). Weights and
biases (DequantizeLinear of a constant) are left for the products.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Graph, Operator, Value, is_kind, scalar, uniform

__all__ = ["MOVES", "rewrite", "steps_before", "steps_of"]

MOVES = ("Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that only move the elements of their first input."""
TINY = float(np.finfo(np.float32).tiny)


def rewrite(graph: Graph) -> int:
    """Returns how many operators changed."""
    count = 0
    for operator in graph.each("QuantizeLinear"):
        count += _quantize(graph, operator)
    for operator in graph.each("DequantizeLinear"):
        x = operator.input(0)
        count += x is not None and x.array is None and x.dtype == "uint8" and _dequantize(graph, operator, 0)
    return count


def steps_of(operator: Operator) -> dict[str, Any]:
    """``scale``, ``zero``, ``low``, ``high`` of a ``quantize``, as the ``out`` of a product holds them."""
    return {key: operator.attributes[key] for key in ("scale", "zero", "low", "high")}


def steps_before(dequantize: Operator) -> dict[str, Any]:
    """The same of the bytes that a ``dequantize`` reads, their range taken from whoever made them."""
    low, high = 0, 255
    value = dequantize.inputs[0]
    while value is not None and is_kind(value.maker, *MOVES) and value.maker is not None:
        value = value.maker.inputs[0]
    if value is not None and is_kind(value.maker, "quantize") and value.maker is not None:
        low, high = value.maker.attributes["low"], value.maker.attributes["high"]
    zero = dequantize.attributes["zero"]
    # whoever reads with another zero point than was written with may not even have it among the steps
    return {"scale": dequantize.attributes["scale"], "zero": zero, "low": min(low, zero), "high": max(high, zero)}


def _setting(operator: Operator, dtype: str) -> tuple[float, int] | None:
    """Scale and zero point; None where they are not one number each, or not of ``dtype``."""
    scale, zero = uniform(operator.input(1)), operator.input(2)
    whole = uniform(zero) if zero is not None else 0.0
    if scale is None or whole is None or not TINY <= scale < np.inf or operator.attributes.get("block_size", 0):
        return None
    if zero is not None and zero.dtype != dtype:
        return None
    return scale, int(whole)


def _quantize(graph: Graph, operator: Operator) -> bool:
    x, old = operator.input(0), operator.output
    setting = _setting(operator, old.dtype)
    if x is None or setting is None or x.dtype != "float32" or old.dtype not in ("int8", "uint8"):
        return False
    shift = 0
    if old.dtype == "int8":
        readers = _signed_readers(old)
        if readers is None:
            return False
        shift = 128
        for reader in readers:
            if reader.kind != "DequantizeLinear":
                reader.output.dtype = "uint8"
    scale, zero = setting
    x, low, high = _clipped(x, scale, zero + shift)
    attributes = {"scale": scale, "zero": zero + shift, "low": low, "high": high}
    made = graph.add("quantize", [x], attributes, near=operator, like=old).output
    made.dtype = "uint8"
    graph.replace(old, made)
    graph.remove(operator)
    if shift:
        for reader in readers or ():
            if reader.kind == "DequantizeLinear":
                _dequantize(graph, reader, shift)
    return True


def _clipped(x: Value, scale: float, zero: int) -> tuple[Value, int, int]:
    """What a Clip that makes ``x`` reads, and the lowest and highest step that it leaves; ``x`` itself and 0..255 where
    nothing is to be gained, or where zero would not be a step (which no plan can say).
    """
    clip = x.maker
    if clip is None or clip.kind != "Clip" or clip.inputs[0] is None:
        return x, 0, 255
    ends = [_step(clip.input(i), scale, zero, rest) for i, rest in ((1, 0), (2, 255))]
    low, high = ends
    if low is None or high is None or not low <= zero <= high or high == 0:
        return x, 0, 255
    return clip.inputs[0], low, high


def _step(limit: Value | None, scale: float, zero: int, missing: int) -> int | None:
    """The step of a Clip's limit, as QuantizeLinear rounds it; None where it is not one known number."""
    if limit is None:
        return missing
    number = scalar(limit)
    if number is None or np.isnan(number):
        return None
    return int(np.clip(np.rint(np.float32(number) / np.float32(scale)) + zero, 0, 255))


def _signed_readers(value: Value) -> list[Operator] | None:
    """Every reader down to DequantizeLinear; None where one of them would see that the bytes have been shifted."""
    if value.exposed:
        return None
    found: list[Operator] = []
    for reader in value.readers:
        if reader.inputs[0] is not value or reader.inputs.count(value) != 1:
            return None
        if is_kind(reader, "DequantizeLinear"):
            if _setting(reader, "int8") is None:
                return None
        elif is_kind(reader, *MOVES):
            further = _signed_readers(reader.output)
            if further is None:
                return None
            found += further
        else:
            return None
        found.append(reader)
    return found


def _dequantize(graph: Graph, operator: Operator, shift: int) -> bool:
    setting = _setting(operator, "int8" if shift else "uint8")
    if setting is None or operator.output.dtype != "float32":
        return False
    attributes = {"scale": setting[0], "zero": setting[1] + shift}
    made = graph.add("dequantize", [operator.inputs[0]], attributes, near=operator, like=operator.output)
    graph.replace(operator.output, made.output)
    graph.remove(operator)
    return True
