"""What follows a product element by element goes into it: first a residual of its shape, then an activation."""

from __future__ import annotations

import math

from .bias import PRODUCTS, RESIDUAL
from .graph import Graph, Operator, Value, scalar
from .sizes import same

__all__ = ["rewrite"]

NEAR = 1e-6
QUICK = 1.702
"""The number in CLIP's approximation of GELU."""


def rewrite(graph: Graph) -> int:
    """Returns how many operators went."""
    count = 0
    for product in graph.each(*PRODUCTS):
        if "out" in product.attributes or "activation" in product.attributes:
            continue
        count += _residual(graph, product)
        count += _activation(graph, product)
    return count


def _residual(graph: Graph, product: Operator) -> bool:
    out, at = product.output, RESIDUAL[product.kind]
    add = graph.only_reader(out)
    if add is None or add.kind != "Add" or product.input(at) is not None:
        return False
    other = add.inputs[1] if add.inputs[0] is out else add.inputs[0]
    if other is None or other.dtype != "float32" or not same(other.shape, out.shape):
        return False
    inputs = [*product.inputs, *[None] * (at + 1 - len(product.inputs))]
    inputs[at] = other
    graph.set_inputs(product, inputs)
    product.place = max(product.place, add.place)
    graph.replace(add.output, out)
    graph.remove(add)
    return True


def _activation(graph: Graph, product: Operator) -> bool:
    found = _one(graph, product.output) or _gated(product.output)
    if found is None:
        return False
    name, last, between = found
    product.attributes["activation"] = name
    graph.replace(last.output, product.output)
    graph.remove(last)
    for operator in between:
        graph.remove(operator)
    return True


Found = tuple[str, Operator, tuple[Operator, ...]]
"""The activation, the operator that ends it, and what lies between."""


def _one(graph: Graph, x: Value) -> Found | None:
    """One operator."""
    reader = graph.only_reader(x)
    name = _named(reader, x) if reader is not None else ""
    return (name, reader, ()) if reader is not None and name else None


def _named(operator: Operator, x: Value) -> str:
    plain = {"Relu": "relu", "HardSwish": "hard_swish", "Sigmoid": "sigmoid", "Tanh": "tanh"}
    if operator.kind in plain:
        return plain[operator.kind]
    if operator.kind == "Gelu":
        return "gelu_tanh" if operator.attributes.get("approximate", "none") == "tanh" else "gelu"
    if operator.kind == "Clip" and operator.inputs[0] is x:
        low, high = operator.input(1), operator.input(2)
        if scalar(low) == 0.0:
            return "relu6" if scalar(high) == 6.0 else "relu" if high is None else ""
    return _swish(operator.attributes.get("alpha", 1.0)) if operator.kind == "Swish" else ""


def _swish(alpha: float) -> str:
    """x * sigmoid(alpha x)."""
    return "silu" if alpha == 1.0 else "quick_gelu" if math.isclose(alpha, QUICK, rel_tol=NEAR) else ""


def _gated(x: Value) -> Found | None:
    """x * sigmoid(alpha x) and x * hard_sigmoid(x) with hard_swish's numbers, of an ``x`` that nobody else reads."""
    if x.exposed or len(x.readers) != 2:
        return None
    quick = _scaled_gate(x)
    if quick is not None:
        return quick
    gate = next((r for r in x.readers if r.kind in ("Sigmoid", "HardSigmoid")), None)
    mul = next((r for r in x.readers if r.kind == "Mul"), None)
    if gate is None or mul is None or gate.output.exposed or set(gate.output.readers) != {mul}:
        return None
    if not any(a is x and b is gate.output for a, b in (mul.inputs, mul.inputs[::-1])):
        return None
    if gate.kind == "Sigmoid":
        return "silu", mul, (gate,)
    alpha, beta = gate.attributes.get("alpha", 0.2), gate.attributes.get("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=NEAR) and beta == 0.5:
        return "hard_swish", mul, (gate,)
    return None


def _scaled_gate(x: Value) -> Found | None:
    """x * sigmoid(1.702 x)."""
    for scaled in x.readers:
        gate = _only(scaled.output) if scaled.kind == "Mul" else None
        mul = _only(gate.output) if gate is not None and gate.kind == "Sigmoid" else None
        if gate is None or mul is None or mul.kind != "Mul" or mul is scaled or set(x.readers) != {scaled, mul}:
            continue
        a, b = scaled.inputs
        factor = scalar(b if a is x else a)
        both = any(one is x and other is gate.output for one, other in (mul.inputs, mul.inputs[::-1]))
        if both and factor is not None and _swish(factor) and same(scaled.output.shape, x.shape):
            return _swish(factor), mul, (gate, scaled)
    return None


def _only(value: Value) -> Operator | None:
    """The one operator that reads ``value``."""
    return next(iter(value.readers)) if not value.exposed and len(value.readers) == 1 else None
