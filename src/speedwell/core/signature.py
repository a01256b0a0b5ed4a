"""What goes into a network and what comes out: names, dtypes and shapes, where a dimension may be a symbol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import InputMismatchError

__all__ = ["BATCH", "SEQUENCE", "Dim", "Signature", "TensorSpec"]

BATCH = "batch"
SEQUENCE = "sequence"
Dim = int | str


@dataclass(frozen=True)
class TensorSpec:
    """One tensor. ``dtype`` is a numpy name ("float32", "int64"); a ``str`` in ``shape`` is a symbolic dimension."""

    name: str
    dtype: str
    shape: tuple[Dim, ...]

    def check(self, array: np.ndarray) -> None:
        """Raise ``InputMismatchError`` unless rank and fixed dimensions agree (dtype is checked as well)."""
        fits = len(array.shape) == len(self.shape) and all(
            isinstance(want, str) or want == have for want, have in zip(self.shape, array.shape, strict=False)
        )
        if not fits:
            raise InputMismatchError(
                f"input {self.name!r} has shape {tuple(array.shape)}, the model takes {list(self.shape)}",
                "Resize the samples, or name their size with --size.",
            )
        if str(array.dtype) != self.dtype:
            raise InputMismatchError(f"input {self.name!r} is {array.dtype}, the model takes {self.dtype}")

    def bind(self, symbols: Mapping[str, int]) -> tuple[int, ...]:
        """The shape with each symbol replaced. Raises ``KeyError`` for a symbol that is not given."""
        return tuple(d if isinstance(d, int) else symbols[d] for d in self.shape)


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs, in the network's order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def symbols(self) -> frozenset[str]:
        """Every symbolic dimension of the inputs."""
        return frozenset(d for t in self.inputs for d in t.shape if isinstance(d, str))

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.outputs)

    def check(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Raise ``InputMismatchError`` unless ``inputs`` fits."""
        missing = [t.name for t in self.inputs if t.name not in inputs]
        if missing:
            raise InputMismatchError(f"the model needs inputs {list(self.input_names)}, missing {missing}")
        for spec in self.inputs:
            spec.check(inputs[spec.name])
