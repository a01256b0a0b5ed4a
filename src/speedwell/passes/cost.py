"""Multiply-adds per node, counted from shapes: where a network's work is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .graph import constant, is_op

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["UNKNOWN", "multiply_adds", "weight_matmul_share"]

UNKNOWN = 1
"""What a dimension without a number counts as: shares of one network are compared, so a common factor cancels."""


def multiply_adds(model: ir.Model) -> Mapping[str, int]:
    """Node name -> multiply-adds of Conv, ConvTranspose, Gemm and MatMul; other nodes are left out.

    Shapes must be inferred. Symbolic dimensions count as ``UNKNOWN``, so that the batch drops out.
    """
    return {str(n.name): _count(n) for n in model.graph if is_op(n, "Conv", "ConvTranspose", "Gemm", "MatMul")}


def weight_matmul_share(model: ir.Model) -> float:
    """Share (0..1) of the multiply-adds that MatMul and Gemm with constant weights do; 0 for a network without any."""
    counts = multiply_adds(model)
    total = sum(counts.values())
    weighted = sum(
        counts[str(n.name)]
        for n in model.graph
        if is_op(n, "Gemm", "MatMul") and len(n.inputs) > 1 and constant(n.inputs[1]) is not None
    )
    return weighted / total if total else 0.0


def _count(node: ir.Node) -> int:
    out = _sizes(node.outputs[0])
    if node.op_type == "MatMul":
        inner = _sizes(node.inputs[0])[-1:] or _sizes(node.inputs[1])[:1]
        return math.prod(out) * (inner[0] if inner else UNKNOWN)
    weight = _sizes(node.inputs[1])
    if node.op_type == "Gemm":
        return math.prod(weight) * (out[0] if out else UNKNOWN)
    per_output = math.prod(weight[1:])
    if node.op_type == "ConvTranspose":
        # each input element meets every weight of its own channel
        return math.prod(_sizes(node.inputs[0])) * per_output
    return math.prod(out) * per_output


def _sizes(value: ir.Value | None) -> list[int]:
    if value is None or value.shape is None:
        return []
    return [d if isinstance(d, int) else UNKNOWN for d in value.shape]
