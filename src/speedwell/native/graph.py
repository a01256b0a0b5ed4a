"""The graph that the lowering works on: operators of a plan, in memory, easy to rewrite.

Values carry what is known of them: element type, shape (with symbols), and for small integers computed from shapes
their elements, so that a rewrite can prove that two shapes are one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .sizes import Shape, Size

__all__ = ["Graph", "Operator", "Value", "is_kind", "scalar", "uniform"]


@dataclass(eq=False)
class Value:
    """A tensor. ``array``: its elements where it is a constant. ``content``: those of a shape-like integer tensor.

    ``dtype`` is numpy's name, "" where unknown; ``shape`` is None where not even the rank is known.
    ``exposed``: it is an output of the network.
    """

    name: str
    dtype: str = ""
    shape: Shape | None = None
    array: np.ndarray | None = None
    content: tuple[Size, ...] | None = None
    maker: Operator | None = None
    readers: dict[Operator, int] = field(default_factory=dict)
    exposed: bool = False

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def last(self) -> Size | None:
        """The size of the last axis."""
        return self.shape[-1] if self.shape else None


@dataclass(eq=False)
class Operator:
    """One step. ``place`` orders it among others that do not depend on it. Inputs are changed by ``Graph`` alone.

    ``live``: false once it was removed.
    """

    kind: str
    name: str
    inputs: list[Value | None]
    outputs: list[Value | None]
    attributes: dict[str, Any]
    place: float = 0.0
    live: bool = True

    def input(self, i: int) -> Value | None:
        """Input ``i``, None where it is left out or past the end."""
        return self.inputs[i] if i < len(self.inputs) else None

    @property
    def output(self) -> Value:
        """The first output."""
        first = self.outputs[0]
        assert first is not None
        return first


class Graph:
    """Operators between ``inputs`` and ``outputs`` (name, value). ``metadata``: of the file it was read from."""

    def __init__(self) -> None:
        self.inputs: list[Value] = []
        self.outputs: list[tuple[str, Value]] = []
        self.operators: list[Operator] = []
        self.metadata: dict[str, str] = {}
        self._names: set[str] = set()

    def value(self, name: str, dtype: str = "", shape: Shape | None = None) -> Value:
        """A new value under ``name``, or under one like it where that is taken."""
        unique, i = name, 0
        while unique in self._names:
            i += 1
            unique = f"{name}_{i}"
        self._names.add(unique)
        return Value(unique, dtype, shape)

    def constant(self, name: str, array: np.ndarray) -> Value:
        """A new constant."""
        value = self.value(name, array.dtype.name, tuple(int(n) for n in array.shape))
        value.array = array
        if array.dtype.kind == "i" and array.ndim <= 1 and array.size <= 64:
            value.content = tuple(int(n) for n in array.reshape(-1))
        return value

    def add(
        self,
        kind: str,
        inputs: Sequence[Value | None],
        attributes: Mapping[str, Any] | None = None,
        *,
        near: Operator,
        name: str = "",
        outputs: Sequence[Value | None] | None = None,
        like: Value | None = None,
    ) -> Operator:
        """A new operator at ``near``'s place. Its one output takes type and shape of ``like``, or give ``outputs``."""
        name = name or near.name
        if outputs is None:
            outputs = [self.value(name, *(() if like is None else (like.dtype, like.shape)))]
        made = Operator(kind, name, [], list(outputs), dict(attributes or {}), near.place)
        for value in outputs:
            if value is not None:
                value.maker = made
        self.set_inputs(made, inputs)
        self.operators.append(made)
        return made

    def set_inputs(self, operator: Operator, inputs: Iterable[Value | None]) -> None:
        """Let ``operator`` read these instead."""
        for value in operator.inputs:
            if value is not None:
                value.readers[operator] -= 1
                if not value.readers[operator]:
                    del value.readers[operator]
        operator.inputs = list(inputs)
        for value in operator.inputs:
            if value is not None:
                value.readers[operator] = value.readers.get(operator, 0) + 1

    def replace(self, old: Value, new: Value) -> None:
        """Whoever read ``old`` reads ``new``, the network's outputs included."""
        for reader in list(old.readers):
            self.set_inputs(reader, [new if value is old else value for value in reader.inputs])
        if old.exposed:
            self.outputs = [(name, new if value is old else value) for name, value in self.outputs]
            old.exposed, new.exposed = False, True

    def remove(self, operator: Operator) -> None:
        """Take ``operator`` out; nothing may read what it makes."""
        self.set_inputs(operator, [])
        for value in operator.outputs:
            if value is not None:
                assert not value.readers, f"{value.name} is still read"
                value.maker = None
        operator.live = False
        self.operators.remove(operator)

    def each(self, *kinds: str) -> Iterator[Operator]:
        """The operators there are now (of these kinds), without those that are removed meanwhile."""
        for operator in list(self.operators):
            if operator.live and (not kinds or operator.kind in kinds):
                yield operator

    def only_reader(self, value: Value) -> Operator | None:
        """The one operator that reads ``value``, once; None where several do or where it is an output."""
        if value.exposed or len(value.readers) != 1:
            return None
        reader, times = next(iter(value.readers.items()))
        return reader if times == 1 else None

    def sort(self) -> None:
        """Makers before readers, otherwise by place."""
        order = {operator: i for i, operator in enumerate(self.operators)}
        waits = {o: len({v.maker for v in o.inputs if v is not None and v.maker is not None}) for o in order}
        ready = [(o.place, i, o) for o, i in order.items() if not waits[o]]
        heapq.heapify(ready)
        done: list[Operator] = []
        while ready:
            operator = heapq.heappop(ready)[2]
            done.append(operator)
            for reader in {r for v in operator.outputs if v is not None for r in v.readers}:
                waits[reader] -= 1
                if not waits[reader]:
                    heapq.heappush(ready, (reader.place, order[reader], reader))
        assert len(done) == len(order), "the graph has a cycle"
        self.operators = done


def is_kind(operator: Operator | None, *kinds: str) -> bool:
    """True for an operator of one of these kinds."""
    return operator is not None and operator.kind in kinds


def scalar(value: Value | None) -> float | None:
    """The number in a one-element constant, else None."""
    return uniform(value) if value is not None and value.array is not None and value.array.size == 1 else None


def uniform(value: Value | None) -> float | None:
    """The number that a constant holds in every element, of which there is at least one, else None."""
    if value is None or value.array is None or value.array.size == 0 or value.array.dtype.kind not in "fiub":
        return None
    flat = value.array.reshape(-1)
    return float(flat[0]) if flat.size == 1 or bool((flat == flat[0]).all()) else None
