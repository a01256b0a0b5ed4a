"""Let an attention whose queries, keys and values are results of integer products multiply in int8 too.

They have passed through 8 bits on their way already; an attention of a float32 network, or one whose operands were
normalized or turned after their projection, stays as exact as it was.
"""

from __future__ import annotations

from .graph import Graph, Operator, is_kind

__all__ = ["PRECISIONS", "rewrite"]

PRECISIONS = ("fastest", "int8", "float32")
"""What a plan may say; "fastest" leaves it to the executor, which knows CPU and sizes (csrc/ops/attention.cpp)."""


def rewrite(graph: Graph, precision: str) -> int:
    """Returns how many attentions have ``precision`` now; float32 is what they had."""
    if precision == "float32":
        return 0
    found = [operator for operator in graph.each("attention") if _between_integers(operator)]
    for operator in found:
        operator.attributes["precision"] = precision
    return len(found)


def _between_integers(attention: Operator) -> bool:
    return all(value is not None and is_kind(value.maker, "gemm_int8") for value in attention.inputs[:3])
