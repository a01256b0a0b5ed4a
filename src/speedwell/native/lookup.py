"""What lies between bytes and bytes, and looks at one element alone, is a table of 256: ``dequantize``, an activation
(one operator or several), ``quantize`` become ``lookup``.

A quantizer that puts steps behind every product leaves activations so. The tables are made by the executor's scalar
kernels from the operators that they stand for: on a CPU with other kernels a value beside a tie may have been rounded
the other way.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import SpeedwellError
from .engine import kinds
from .graph import Graph, Operator, Value
from .numbering import numbered
from .quantize import steps_of
from .session import Session
from .sizes import same
from .write import write_plan

__all__ = ["rewrite"]

OF_ONE_ELEMENT = frozenset({
    "Abs", "Add", "Ceil", "Clip", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity",
    "LeakyRelu", "Log", "Max", "Min", "Mul", "Neg", "Pow", "Reciprocal", "Relu", "Round", "Sigmoid", "Sin", "Softplus",
    "Sqrt", "Sub", "Tanh",
})  # fmt: skip
MOST = 32
"""Operators that one table may stand for: more is no activation, and the search for them must end."""
LEVELS = 256


@dataclass(frozen=True)
class Found:
    """``operators`` lead from the bytes ``source`` to those that ``quantize``, the last of them, gives."""

    source: Value
    operators: tuple[Operator, ...]

    @property
    def quantize(self) -> Operator:
        return self.operators[-1]


def rewrite(graph: Graph) -> int:
    """Returns how many tables there are now; none where the executor is not built, or cannot make them."""
    known = kinds()
    if known is None:
        return 0
    passed = OF_ONE_ELEMENT & known
    found = [one for quantize in graph.each("quantize") if (one := _between(quantize, passed)) is not None]
    tables = _tables(found)
    replaced: dict[Value, Value] = {}  # one table may read what another makes
    for one, table in zip(found if tables else (), tables, strict=True):
        old = one.quantize.output
        inputs = [replaced.get(one.source, one.source), graph.constant(f"{one.quantize.name}.table", table)]
        made = graph.add("lookup", inputs, {"out": steps_of(one.quantize)}, near=one.quantize, like=old)
        replaced[old] = made.output
        graph.replace(old, made.output)
        graph.remove(one.quantize)
    return len(tables)


def _between(quantize: Operator, passed: frozenset[str]) -> Found | None:
    """The bytes that alone decide what ``quantize`` gives, and the operators from there on, makers before readers.

    ``passed``: kinds that may lie between.
    """
    source: Value | None = None
    order: list[Operator] = []
    todo: list[tuple[Value | None, bool]] = [(quantize.inputs[0], False)]
    seen: set[Operator] = set()
    while todo:
        value, done = todo.pop()
        if value is None or (value.array is not None and value.array.size == 1 and value.dtype == "float32"):
            continue
        maker = value.maker
        if maker is None or value.array is not None or value.dtype != "float32":
            return None
        if done:
            order.append(maker)
            continue
        if maker in seen:
            continue
        seen.add(maker)
        if len(seen) > MOST:
            return None
        if maker.kind == "dequantize":
            if source is not None and source is not maker.inputs[0]:
                return None
            source = maker.inputs[0]
            order.append(maker)
        elif maker.kind in passed and len(maker.outputs) == 1:
            todo.append((value, True))
            todo += [(other, False) for other in maker.inputs]
        else:
            return None
    if source is None or source.dtype != "uint8" or not same(source.shape, quantize.output.shape):
        return None
    return Found(source, (*order, quantize))


def _tables(found: list[Found]) -> list[np.ndarray]:
    """What each makes of every byte, all of them in one plan; nothing where that cannot be run."""
    if not found:
        return []
    small = Graph()
    for i, one in enumerate(found):
        x = small.value("x", "uint8", (LEVELS,))
        small.inputs.append(x)
        y = _copied(small, one, x)
        y.exposed = True
        small.outputs.append((f"y{i}", y))
    small.sort()
    plan, tensors = numbered(small)
    try:
        with tempfile.TemporaryDirectory(prefix="speedwell-") as folder:
            write_plan(Path(folder), plan, tensors)
            return Session(Path(folder), 1, "scalar").run([np.arange(LEVELS, dtype=np.uint8)] * len(found))
    except (SpeedwellError, OSError):  # an operator that is wrong is reported where it stays, a full disk at the plan
        return []


def _copied(graph: Graph, found: Found, x: Value) -> Value:
    """The operators once more, from ``x`` on."""
    first = Operator("", "", [], [], {})
    copies: dict[Value | None, Value | None] = {None: None, found.source: x}
    for operator in found.operators:
        inputs = [copies[v] if v in copies else _number(graph, v) for v in operator.inputs]
        copies[operator.output] = graph.add(
            operator.kind, inputs, operator.attributes, near=first, name=operator.name, like=operator.output
        ).output
    made = copies[found.quantize.output]
    assert made is not None
    return made


def _number(graph: Graph, value: Value | None) -> Value:
    """A constant of one element, without axes that would show in the table's shape."""
    assert value is not None
    assert value.array is not None
    return graph.constant("number", value.array.reshape(()))
