"""LayerNormalization over the last axis -> ``layer_norm``, with the addition before it."""

from __future__ import annotations

from .graph import Graph, Operator, Value
from .sizes import same

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many normalizations changed."""
    return sum(_match(graph, operator) for operator in graph.each("LayerNormalization"))


def _match(graph: Graph, operator: Operator) -> bool:
    x, gamma, beta = (operator.input(i) for i in range(3))
    if x is None or gamma is None or x.rank is None or operator.attributes.get("axis", -1) not in (-1, x.rank - 1):
        return False
    if any(value is not None and (value.readers or value.exposed) for value in operator.outputs[1:]):
        return False
    if gamma.shape != (x.last,) or (beta is not None and beta.shape != gamma.shape) or x.dtype != "float32":
        return False
    if operator.attributes.get("stash_type", 1) != 1:
        return False
    attributes = {"epsilon": operator.attributes.get("epsilon", 1e-5)}
    y, total = graph.value(operator.name, "float32", operator.output.shape), None
    add, residual = x.maker, None
    if add is not None and add.kind == "Add" and _plain_sum(add, x):
        x, residual = add.inputs[0], add.inputs[1]
        if not graph.only_reader(add.output):  # the sum is read elsewhere too: a network that normalizes before
            total = graph.value(f"{operator.name}.sum", "float32", add.output.shape)
    graph.add("layer_norm", [x, gamma, beta, residual], attributes, near=operator, outputs=[y, None, total])
    graph.replace(operator.output, y)
    graph.remove(operator)
    if residual is not None and add is not None:
        if total is not None:
            graph.replace(add.output, total)
        graph.remove(add)
    return True


def _plain_sum(add: Operator, x: Value) -> bool:
    """Two computed tensors of one shape: nothing broadcasts."""
    return all(v is not None and v.array is None and same(v.shape, x.shape) for v in add.inputs)
