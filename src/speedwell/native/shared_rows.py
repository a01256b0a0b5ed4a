"""Quantize rows once where several products read the same floats: gate and up of a gated feed-forward part, queries and
keys that somebody else reads too, the keys and values of all decoder layers over one encoder's output.

A product alone quantizes its rows while it multiplies; two of them would do so twice.
"""

from __future__ import annotations

from .graph import Graph, Operator, Value

__all__ = ["rewrite"]

ROW_SCALE = 7
"""Input of ``gemm_int8`` that holds its rows' scales; their zero points follow."""


def rewrite(graph: Graph) -> int:
    """Returns how many products read bytes now that others read too."""
    groups: dict[tuple[Value, int], list[Operator]] = {}
    for operator in graph.each("gemm_int8"):
        x, rows = operator.inputs[0], operator.attributes["input"].get("rows")
        if x is not None and x.dtype == "float32" and rows is not None:
            groups.setdefault((x, rows), []).append(operator)
    shared = [(x, rows, group) for (x, rows), group in groups.items() if len(group) > 1]
    for x, rows, group in shared:
        _share(graph, x, rows, group)
    return sum(len(group) for _, _, group in shared)


def _share(graph: Graph, x: Value, rows: int, group: list[Operator]) -> None:
    name = f"{group[0].name}.rows"
    leading = None if x.shape is None else x.shape[:-1]
    outputs = [
        graph.value(name, "uint8", x.shape),
        graph.value(f"{name}.scale", "float32", leading),
        graph.value(f"{name}.zero", "uint8", leading),
    ]
    graph.add("quantize_rows", [x], {"high": rows}, near=group[0], name=name, outputs=outputs)
    for product in group:
        rest = product.inputs[1:] + [None] * (ROW_SCALE - len(product.inputs))
        graph.set_inputs(product, [outputs[0], *rest, *outputs[1:]])
