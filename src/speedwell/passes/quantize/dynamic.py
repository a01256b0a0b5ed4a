"""``quantize_dynamic``: MatMul and Gemm with constant weights in int8, activation ranges found at run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...core import Context, Hardware, Kind, Model, Pass, Step
from ...core.errors import PreconditionError, UsageError
from ..closeness import require_sound
from ..cost import weight_matmul_share
from ..graph import constant, initializer, insert_before, insert_node_before, opset, replace_output, save
from ..probe import probe, probe_sizes
from .bound import bound_scale, output_db
from .clipping import LEVELS
from .coverage import weight_axis, weighted
from .prepared import prepared
from .sums import ROW_LEVELS, note_output_db, require_sums, sums_choices
from .weights import quantize_weight

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["FIRST_OPSET", "LEAST_SHARE", "QuantizeDynamic"]

FIRST_OPSET = 11
"""DynamicQuantizeLinear is there since 11."""
LEAST_SHARE = 0.3
"""Below this share of the multiply-adds in MatMul and Gemm weights (convolutional networks) it cannot pay."""


@dataclass(frozen=True)
class QuantizeDynamic(Pass):
    """x W + b = (q(x) - z) q(W) * s_x s_W + b, with one scale of x per run and one of W per output channel.

    Standard operators: DynamicQuantizeLinear, MatMulInteger, Cast, Mul, Add. Needs no data.
    ``keep_float``: this many operators stay float, those whose weights are hit hardest by rounding.
    ``weight_bits``: 8, 7, or 0 for what the machine's instructions add without saturating.
    ``activation_bits``: 8 or 7; no standard operator quantizes to 7 bits at run time, so 7 stands in the file's
    metadata (``ROW_LEVELS``): the native engine obeys it, the others run the same graph with 8.
    ``run``: as in ``QuantizeStatic``; what it costs is measured on the weights alone.
    """

    keep_float: int = 0
    weight_bits: int = 0
    activation_bits: int = 8
    run: int = 0

    name: ClassVar[str] = "quantize_dynamic"
    takes: ClassVar[Kind] = Kind("onnx", needs=frozenset({"float"}), forbids=frozenset({"bf16", "f16"}))
    gives: ClassVar[Kind] = Kind("onnx", needs=frozenset({"dynamic-int8", "fused"}), forbids=frozenset({"float"}))
    engine_settings: ClassVar[Mapping[str, str]] = {"activation_bits": "native", "run": "native"}

    def __post_init__(self) -> None:
        if self.keep_float < 0 or self.weight_bits not in (0, 7, 8):
            raise UsageError(f"quantize_dynamic: keep_float {self.keep_float}, weight_bits {self.weight_bits}",
                             "keep_float is 0 or more, weight_bits 0 (automatic), 7 or 8.")  # fmt: skip
        require_sums(self.name, self.activation_bits, self.run)

    @classmethod
    def choices(cls, model: Model, hardware: Hardware) -> tuple[Step, ...]:
        if model.form == "onnx" and weight_matmul_share(prepared(model)) < LEAST_SHARE:
            return ()
        return (Step(cls.name), *sums_choices(cls.name, hardware))

    def apply(self, model: Model, context: Context) -> Model:
        graph = prepared(model)
        if opset(graph) < FIRST_OPSET:
            raise PreconditionError(f"quantize_dynamic needs opset {FIRST_OPSET}, and onnx cannot raise {opset(graph)}")
        nodes = _targets(graph)
        if len(nodes) <= self.keep_float:
            raise PreconditionError(
                f"{len(nodes)} MatMul and Gemm have constant weights, {self.keep_float} are to stay float"
            )
        bits = self.weight_bits or (7 if context.hardware.int8_saturates else 8)
        by_noise = sorted(nodes, key=lambda n: (-_noise(n, bits), str(n.name)))
        kept = {n.name for n in by_noise[: self.keep_float]}
        quantized: dict[str, tuple[ir.Value, ...]] = {}
        levels, costs = 2**self.activation_bits - 1, {}
        for node in nodes:
            if node.name not in kept:
                weight = _rounded(node, bits, levels, self.run)
                if self.run:
                    costs[str(node.name)] = _output_db(node, _rounded(node, bits, levels, 0)), _output_db(node, weight)
                _quantize(graph, node, weight, quantized)
        if self.run:
            note_output_db(graph, costs)
        if levels != LEVELS:
            graph.metadata_props[ROW_LEVELS] = str(levels)
        return save(graph, model, context.scratch, self.name, add=("dynamic-int8", "fused"), drop=("float",))

    def ensures(self, before: Model, after: Model, context: Context) -> None:
        for sizes in probe_sizes(before, context):
            inputs = probe(before, context, sizes)
            require_sound(self.name, context.run(before, inputs), context.run(after, inputs))


def _targets(graph: ir.Model) -> list[ir.Node]:
    return [n for n in graph.graph if n.op_type in ("Gemm", "MatMul") and weighted(n)]


def _matrix(node: ir.Node) -> np.ndarray:
    """The weight as [in, out]."""
    weight = constant(node.inputs[1])
    assert weight is not None
    return weight.T if weight_axis(node) == 0 else weight


def _noise(node: ir.Node, bits: int) -> float:
    """Squared rounding error of the weight relative to its energy."""
    matrix = _matrix(node).astype(np.float64)
    q, scale = quantize_weight(matrix.astype(np.float32), 1, bits)
    return float(np.square(q * scale - matrix).sum() / max(np.square(matrix).sum(), 1e-30))


def _rounded(node: ir.Node, bits: int, levels: int, run: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 [in, out] and scales [out]."""
    matrix = _matrix(node)
    return quantize_weight(matrix, 1, bits, bound_scale(matrix.T, levels, run) if run else None)


def _output_db(node: ir.Node, rounded: tuple[np.ndarray, np.ndarray]) -> float:
    integers, scale = rounded
    return output_db(_matrix(node).T[None], integers.T[None], scale[None], None)


def _quantize(
    graph: ir.Model,
    node: ir.Node,
    rounded: tuple[np.ndarray, np.ndarray],
    quantized: dict[str, tuple[ir.Value, ...]],
) -> None:
    x, name = node.inputs[0], str(node.name)
    assert x is not None
    if str(x.name) not in quantized:  # Q, K and V read the same tensor: quantize it once
        made = insert_node_before(node, "DynamicQuantizeLinear", [x], name=f"{name}_quantize", outputs=3)
        for output, part in zip(made.outputs, ("quantized", "scale", "zero"), strict=True):
            output.name = f"{x.name}_{part}"
        quantized[str(x.name)] = tuple(made.outputs)
    q, scale, zero = quantized[str(x.name)]
    integers, weight_scale = rounded
    weight = initializer(graph, f"{name}_weight_quantized", integers)
    weight_zero = initializer(graph, f"{name}_weight_zero", np.zeros(integers.shape[1], np.int8))
    scales = initializer(graph, f"{name}_weight_scale", weight_scale)
    product = insert_before(node, "MatMulInteger", [q, weight, zero, weight_zero], name=f"{name}_integer")
    floats = insert_before(node, "Cast", [product], {"to": 1}, name=f"{name}_cast")
    both = insert_before(node, "Mul", [scale, scales], name=f"{name}_scales")
    out = insert_before(node, "Mul", [floats, both], name=f"{name}_scaled", like=node.outputs[0])
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        out = insert_before(node, "Add", [out, node.inputs[2]], name=f"{name}_biased", like=node.outputs[0])
    replace_output(node.outputs[0], out)
    graph.graph.remove(node, safe=True)
