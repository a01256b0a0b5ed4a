"""What lies between bytes and bytes, and looks at one element alone, is a table of 256: ``dequantize``, an activation
(one operator or several), ``quantize`` become ``lookup``.

A quantizer that puts steps behind every product leaves activations so. The table is made by the executor's scalar
kernels from the operators that it stands for: on a CPU with other kernels a value beside a tie may have been rounded
the other way.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from .engine import available
from .graph import Graph, Operator, Value
from .numbering import numbered
from .quantize import steps_of
from .session import Session
from .sizes import same
from .write import write_plan

__all__ = ["rewrite"]

OF_ONE_ELEMENT = frozenset({
    "Abs", "Add", "Ceil", "Celu", "Clip", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish",
    "Identity", "LeakyRelu", "Log", "Max", "Min", "Mish", "Mul", "Neg", "Pow", "Reciprocal", "Relu", "Round", "Selu",
    "Sigmoid", "Sin", "Softplus", "Softsign", "Sqrt", "Sub", "Swish", "Tanh", "ThresholdedRelu",
})  # fmt: skip
MOST = 32
"""Operators that one table may stand for: more is no activation, and the search for them must end."""
LEVELS = 256


def rewrite(graph: Graph) -> int:
    """Returns how many tables there are now; none where the executor is not built."""
    if not available()[0]:
        return 0
    return sum(_rewrite(graph, operator) for operator in graph.each("quantize"))


def _rewrite(graph: Graph, quantize: Operator) -> bool:
    found = _between(quantize)
    if found is None:
        return False
    source, operators = found
    if not same(source.shape, quantize.output.shape):
        return False
    table = graph.constant(f"{quantize.name}.table", _table([*operators, quantize], source))
    made = graph.add("lookup", [source, table], {"out": steps_of(quantize)}, near=quantize, like=quantize.output)
    graph.replace(quantize.output, made.output)
    graph.remove(quantize)
    return True


def _between(quantize: Operator) -> tuple[Value, list[Operator]] | None:
    """The bytes that alone decide what ``quantize`` gives, and the operators from there on, makers before readers."""
    source: Value | None = None
    order: list[Operator] = []
    todo: list[tuple[Value | None, bool]] = [(quantize.inputs[0], False)]
    seen: set[Operator] = set()
    while todo:
        value, done = todo.pop()
        if value is None or (value.array is not None and value.array.size == 1):
            continue
        maker = value.maker
        if maker is None or value.array is not None:
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
        elif maker.kind in OF_ONE_ELEMENT and len(maker.outputs) == 1:
            todo.append((value, True))
            todo += [(other, False) for other in maker.inputs]
        else:
            return None
    return None if source is None or source.dtype != "uint8" else (source, order)


def _table(operators: list[Operator], source: Value) -> np.ndarray:
    """What the operators make of every byte."""
    small = Graph()
    x = small.value("x", "uint8", (LEVELS,))
    small.inputs.append(x)
    copies: dict[Value | None, Value | None] = {None: None, source: x}
    first = Operator("", "", [], [], {})
    for operator in operators:
        inputs = [copies[v] if v in copies else _number(small, v) for v in operator.inputs]
        made = small.add(
            operator.kind, inputs, operator.attributes, near=first, name=operator.name, like=operator.output
        )
        copies[operator.output] = made.output
    made.output.exposed = True
    small.outputs.append(("y", made.output))
    small.sort()
    plan, tensors = numbered(small)
    with tempfile.TemporaryDirectory(prefix="speedwell-") as folder:
        write_plan(Path(folder), plan, tensors)
        return Session(Path(folder), 1, "scalar").run([np.arange(LEVELS, dtype=np.uint8)])[0]


def _number(graph: Graph, value: Value | None) -> Value:
    """A constant of one element, without axes that would show in the table's shape."""
    assert value is not None
    assert value.array is not None
    return graph.constant("number", value.array.reshape(()))
