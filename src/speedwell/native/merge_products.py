"""Queries, keys and values projected from one tensor: one product side by side, of which the attention reads slices."""

from __future__ import annotations

import numpy as np

from .bias import BIAS, PRODUCTS, RESIDUAL
from .graph import Graph, Operator, Value
from .int4_gemm import MIDDLE, ZERO
from .shapes import infer

__all__ = ["rewrite"]

OFFSETS = ("q_offset", "k_offset", "v_offset")


def rewrite(graph: Graph) -> int:
    """Returns how many products went into others."""
    return sum(_merge(graph, operator) for operator in graph.each("attention"))


def _merge(graph: Graph, attention: Operator) -> int:
    groups: dict[tuple[object, ...], list[Operator]] = {}
    for value in dict.fromkeys(attention.inputs[:3]):
        product = value.maker if value is not None else None
        if product is not None and value is not None and _may_merge(product, value, attention):
            groups.setdefault(_key(product), []).append(product)
    return sum(_side_by_side(graph, attention, group) for group in groups.values() if len(group) > 1)


def _may_merge(product: Operator, value: Value, attention: Operator) -> bool:
    """A plain product with constant operands that only this attention reads."""
    if product.kind not in PRODUCTS or value.exposed or set(value.readers) != {attention}:
        return False
    if attention.input(3) is value or product.input(RESIDUAL[product.kind]) is not None:
        return False
    return not {"activation", "out"} & set(product.attributes)


def _key(product: Operator) -> tuple[object, ...]:
    """What two products must have in common."""
    steps, group = product.attributes.get("input", {}), product.attributes.get("group", 0)
    return product.kind, id(product.inputs[0]), group, tuple(sorted(steps.items()))


def _side_by_side(graph: Graph, attention: Operator, products: list[Operator]) -> int:
    first = products[0]
    at = BIAS[first.kind]
    weights = [_array(p.inputs[1]) for p in products]
    inputs: list[Value | None] = [first.inputs[0], graph.constant(f"{first.name}.weights", np.concatenate(weights))]
    if first.kind != "gemm_float":
        scales = np.concatenate([_array(p.inputs[2]) for p in products])
        inputs.append(graph.constant(f"{first.name}.weight_scales", scales))
    biases = [p.input(at) for p in products]
    if any(bias is not None for bias in biases):
        rows = [
            _array(bias) if bias is not None else np.zeros(len(weight), np.float32)
            for bias, weight in zip(biases, weights, strict=True)
        ]
        inputs.append(graph.constant(f"{first.name}.biases", np.concatenate(rows)))
    else:
        inputs.append(None)
    inputs += [None, *_zeros(graph, products)]
    merged = graph.add(first.kind, inputs, first.attributes, near=first, like=first.output)
    infer(merged)
    starts = np.cumsum([0, *(len(weight) for weight in weights)])
    begins = {p.output: int(start) for p, start in zip(products, starts, strict=False)}
    for i, name in enumerate(OFFSETS):
        source = attention.inputs[i]
        if source in begins:
            attention.attributes[name] += begins[source]
    read = [merged.output if value in begins else value for value in attention.inputs]
    graph.set_inputs(attention, read)
    for product in products:
        graph.remove(product)
    return len(products) - 1


def _zeros(graph: Graph, products: list[Operator]) -> list[Value]:
    """The zero points of 4-bit weights, where any product has some."""
    zeros = [p.input(ZERO) if p.kind == "gemm_int4" else None for p in products]
    if all(zero is None for zero in zeros):
        return []
    rows = [
        _array(zero) if zero is not None else np.full_like(_array(p.inputs[2]), MIDDLE, np.uint8)
        for zero, p in zip(zeros, products, strict=True)
    ]
    return [graph.constant(f"{products[0].name}.weight_zeros", np.concatenate(rows))]


def _array(value: Value | None) -> np.ndarray:
    assert value is not None
    assert value.array is not None
    return value.array
