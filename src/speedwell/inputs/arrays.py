"""``ArrayTransform``: samples that are tensors already; checked, stacked, and padded where lengths differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.errors import CorruptSampleError, InputMismatchError
from ..core.signature import TensorSpec
from .transform import Transform, expect

__all__ = ["ArrayTransform"]


@dataclass(frozen=True)
class ArrayTransform(Transform):
    """``inputs``: the model's inputs, batch axis first; a shape of () means "not known", and is not checked.

    A sample is a mapping of arrays by input name, arrays in the inputs' order, or one array for one input; without
    the batch axis. Along symbolic axes samples may differ; a batch is then padded with zeros at the end.
    """

    kind: ClassVar[str] = "arrays"

    inputs: tuple[TensorSpec, ...]

    def __post_init__(self) -> None:
        names = [t.name for t in self.inputs] if isinstance(self.inputs, tuple) else []
        expect(
            bool(names) and len(set(names)) == len(names), f"the inputs are {self.inputs!r}", "Name each input once."
        )
        for spec in self.inputs:
            try:
                np.dtype(spec.dtype)
            except TypeError:
                expect(False, f"input {spec.name!r} has dtype {spec.dtype!r}", "Use a numpy name, such as float32.")

    @property
    def ragged(self) -> tuple[str, ...]:
        """Inputs whose first axis after the batch is symbolic."""
        return tuple(t.name for t in self.inputs if len(t.shape) > 1 and isinstance(t.shape[1], str))

    def encode(self, raw: Any) -> dict[str, np.ndarray]:
        """Each input's array, cast to its dtype. Raises ``InputMismatchError`` (names, rank, size, kind of number),
        ``CorruptSampleError`` for NaN.
        """
        return {spec.name: _fitted(spec, value) for spec, value in zip(self.inputs, self._values(raw), strict=True)}

    def finish(self, encoded: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Each input, [N, ...]."""
        return {spec.name: _stacked([e[spec.name] for e in encoded]) for spec in self.inputs}

    def _values(self, raw: Any) -> list[Any]:
        names = [t.name for t in self.inputs]
        if isinstance(raw, Mapping):
            if missing := [n for n in names if n not in raw]:
                raise InputMismatchError(
                    f"a sample has no {missing}, it has {sorted(map(str, raw))}", f"The model takes {names}."
                )
            return [raw[n] for n in names]
        if len(names) == 1:
            return [raw]
        if isinstance(raw, (tuple, list)) and len(raw) == len(names):
            return list(raw)
        raise InputMismatchError(f"a sample is a {type(raw).__name__}", f"Give a mapping with {names}.")


def _fitted(spec: TensorSpec, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputMismatchError(f"input {spec.name!r} is not an array: {error}") from error
    wanted = np.dtype(spec.dtype)
    if array.dtype.kind not in "fiub" or not (
        np.can_cast(array.dtype, wanted, "same_kind") or (array.dtype.kind in "iub" and wanted.kind in "iuf")
    ):
        raise InputMismatchError(f"input {spec.name!r} of a sample is {array.dtype}, the model takes {spec.dtype}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise CorruptSampleError(f"input {spec.name!r} holds NaN")
    if wanted.kind in "iu" and array.size:
        bounds = np.iinfo(wanted)
        if int(array.min()) < bounds.min or int(array.max()) > bounds.max:
            raise InputMismatchError(f"input {spec.name!r} of a sample is outside the range of {spec.dtype}")
    shape = spec.shape[1:]
    fits = array.ndim == len(shape) and all(
        isinstance(want, str) or want == have for want, have in zip(shape, array.shape, strict=False)
    )
    if spec.shape and not fits:
        raise InputMismatchError(
            f"input {spec.name!r} of a sample has shape {array.shape}, the model takes {list(shape)} per sample",
            "Give one sample without the batch axis, in the model's own size.",
        )
    return np.array(array, wanted, order="C")


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    if len({a.shape for a in arrays}) == 1:
        return np.stack(arrays)
    if len({a.ndim for a in arrays}) > 1:
        raise InputMismatchError(f"samples of ranks {sorted({a.ndim for a in arrays})} in one batch")
    out = np.zeros((len(arrays), *np.max([a.shape for a in arrays], axis=0)), arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[tuple(slice(0, s) for s in array.shape)] = array
    return out
