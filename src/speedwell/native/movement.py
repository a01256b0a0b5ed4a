"""Transposes that undo each other, reshapes that change nothing, quantization in front of what only moves bytes."""

from __future__ import annotations

from collections.abc import Iterator

from .graph import Graph, Operator, Value, is_kind
from .quantize import steps_before, steps_of
from .sizes import same

__all__ = ["RESHAPES", "ancestors", "rewrite"]

RESHAPES = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that keep the elements in their order."""


def rewrite(graph: Graph) -> int:
    """Until none of the rules finds anything. Returns how many operators changed."""
    changed, before = 0, -1
    while changed != before:
        before = changed
        for operator in graph.each(*RESHAPES, "Expand", "Transpose", "quantize", "dequantize"):
            changed += any(rule(graph, operator) for rule in (_reshape, _transpose, _quantize, _dequantize))
    return changed


def ancestors(value: Value) -> Iterator[Value]:
    """What ``value`` is a reshape of, nearest first."""
    while (maker := value.maker) is not None and (maker.kind in RESHAPES or _keeps_order(maker)):
        if maker.inputs[0] is None:
            return
        value = maker.inputs[0]
        yield value


def _keeps_order(operator: Operator) -> bool:
    """True for a transpose that only moves axes of size 1 about."""
    source, perm = operator.input(0), operator.attributes.get("perm")
    if operator.kind != "Transpose" or perm is None or source is None or source.shape is None:
        return False
    moved = [axis for axis in perm if source.shape[axis] != 1]
    return moved == sorted(moved)


def _reshape(graph: Graph, operator: Operator) -> bool:
    """A reshape, or an Expand, back to a shape that is there already."""
    source = operator.input(0)
    if not (is_kind(operator, *RESHAPES, "Expand") or _keeps_order(operator)) or source is None:
        return False
    sources = [source] if operator.kind == "Expand" else list(ancestors(operator.output))
    return any(same(value.shape, operator.output.shape) and _becomes(graph, operator, value) for value in sources)


def _transpose(graph: Graph, operator: Operator) -> bool:
    source = operator.input(0)
    perm = operator.attributes.get("perm")
    if operator.kind != "Transpose" or source is None or perm is None:
        return False
    if list(perm) == sorted(perm):
        return _becomes(graph, operator, source)
    before = source.maker
    if not is_kind(before, "Transpose") or before is None or "perm" not in before.attributes:
        return False
    both = [before.attributes["perm"][axis] for axis in perm]
    graph.set_inputs(operator, [before.inputs[0]])
    operator.attributes = {"perm": both}
    return True


def _quantize(graph: Graph, operator: Operator) -> bool:
    source = operator.input(0)
    if operator.kind != "quantize" or source is None or source.maker is None:
        return False
    before, moved = source.maker, source.maker.inputs[0] if source.maker.inputs else None
    if before.kind == "dequantize" and steps_before(before) == steps_of(operator) and moved is not None:
        # q -> (q - z) s -> q: dividing by s again gives the integer but for one rounding, which rounding to it undoes
        return _becomes(graph, operator, moved)
    if not is_kind(before, *RESHAPES, "Transpose") or graph.only_reader(source) is not operator or moved is None:
        return False
    early = graph.add("quantize", [moved], operator.attributes, near=before, name=operator.name, like=moved)
    early.output.dtype = "uint8"
    graph.set_inputs(before, [early.output, *before.inputs[1:]])
    graph.replace(operator.output, source)
    source.dtype = "uint8"
    graph.remove(operator)
    return True


def _dequantize(graph: Graph, operator: Operator) -> bool:
    """Bytes are moved rather than floats, and an integer product sees them."""
    after, moved = graph.only_reader(operator.output), operator.inputs[0]
    if operator.kind != "dequantize" or after is None or moved is None or not is_kind(after, *RESHAPES, "Transpose"):
        return False
    if after.inputs[0] is not operator.output:
        return False
    out = after.output
    late = graph.add("dequantize", [], operator.attributes, near=after, name=operator.name, like=out)
    graph.replace(out, late.output)
    graph.set_inputs(late, [out])
    out.dtype = "uint8"
    graph.set_inputs(after, [moved, *after.inputs[1:]])
    graph.remove(operator)
    return True


def _becomes(graph: Graph, operator: Operator, value: Value) -> bool:
    graph.replace(operator.output, value)
    graph.remove(operator)
    return True
