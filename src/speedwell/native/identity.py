"""Remove what does nothing at inference: Identity, Dropout, a cast to the type that is there, a join of one."""

from __future__ import annotations

from .graph import Graph, Operator

__all__ = ["rewrite"]


def rewrite(graph: Graph) -> int:
    """Returns how many operators went."""
    count = 0
    for operator in graph.each():
        if _does_nothing(operator) and (source := operator.input(0)) is not None:
            graph.replace(operator.output, source)
            graph.remove(operator)
            count += 1
    return count


def _does_nothing(operator: Operator) -> bool:
    if any(value is not None and (value.readers or value.exposed) for value in operator.outputs[1:]):
        return False
    if operator.kind == "Cast":
        source = operator.input(0)
        return source is not None and source.dtype != "" and source.dtype == operator.output.dtype
    if operator.kind == "Dropout":
        training = operator.input(2)
        return training is None or (training.array is not None and not training.array.any())
    return operator.kind == "Identity" or (
        operator.kind in ("Concat", "Max", "Min", "Sum") and len(operator.inputs) == 1
    )
