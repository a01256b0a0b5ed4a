"""Sizes for a plan's inputs: as they were asked for, the rest chosen; and arrays of them to run it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import InputMismatchError
from .plan import Input

__all__ = ["ChosenSizes", "choose_sizes", "filled_inputs"]

SEQUENCE, SIDE = 128, 224
"""What a free axis becomes: tokens (or any other size), and height and width of an input with four axes. The first
axis becomes 1.
"""


@dataclass(frozen=True)
class ChosenSizes:
    """``shapes`` by input; ``chosen``: the free sizes that nobody asked for."""

    shapes: Mapping[str, tuple[int, ...]]
    chosen: Mapping[str, int]


def choose_sizes(inputs: Sequence[Input], asked: Mapping[str, Sequence[int]]) -> ChosenSizes:
    """One size for each name of a free axis, in all inputs. Raises ``InputMismatchError`` for an input that the plan
    does not have, another rank, a fixed size that differs, or two sizes for one name.
    """
    known = {i.name: i for i in inputs}
    if foreign := sorted(set(asked) - set(known)):
        raise InputMismatchError(f"there is no input {foreign[0]!r}", f"The inputs are: {_listed(inputs)}")
    sizes: dict[str, int] = {}
    for name, shape in asked.items():
        wanted = known[name].shape
        if len(shape) != len(wanted):
            raise InputMismatchError(
                f"{name} has {len(wanted)} axes, {_text(shape)} has {len(shape)}", f"The inputs are: {_listed(inputs)}"
            )
        for free, size in zip(wanted, shape, strict=True):
            before = free if isinstance(free, int) else sizes.setdefault(free, size)
            if before != size:
                raise InputMismatchError(
                    f"{name} cannot be {_text(shape)}: {free if isinstance(free, str) else 'an axis'} is {before}",
                    f"The inputs are: {_listed(inputs)}",
                )
    chosen: dict[str, int] = {}
    for i in inputs:
        for axis, free in enumerate(i.shape):
            if isinstance(free, str) and free not in sizes:
                sizes[free] = chosen[free] = 1 if axis == 0 else SIDE if len(i.shape) == 4 and axis > 1 else SEQUENCE
    shapes = {i.name: tuple(n if isinstance(n, int) else sizes[n] for n in i.shape) for i in inputs}
    return ChosenSizes(shapes, chosen)


def filled_inputs(inputs: Sequence[Input], shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Arrays that any network takes: normal numbers, any bytes, masks that hide nothing, index 0."""
    rng = np.random.default_rng(0)
    filled: dict[str, np.ndarray] = {}
    for i in inputs:
        shape = tuple(shapes[i.name])
        if i.dtype == "float32":
            filled[i.name] = rng.standard_normal(shape, np.float32)
        elif i.dtype in ("uint8", "int8"):
            filled[i.name] = rng.integers(0, 128, shape).astype(i.dtype)
        else:
            ones = i.dtype == "bool" or "mask" in i.name.lower()
            filled[i.name] = np.full(shape, ones, i.dtype)
    return filled


def _text(shape: Sequence[int | str]) -> str:
    return "x".join(map(str, shape)) or "a scalar"


def _listed(inputs: Sequence[Input]) -> str:
    return ", ".join(f"{i.name} {_text(i.shape)}" for i in inputs)
