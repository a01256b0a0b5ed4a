"""What a session is given, checked once per new shape: names, dtypes, ranks, and that symbols agree between inputs."""

from __future__ import annotations

import numpy as np

from ..core.context import Arrays
from ..core.errors import InputMismatchError
from ..core.signature import BATCH, Signature

__all__ = ["Feed", "in_place"]


class Feed:
    """Calling it with a mapping gives the arrays in the signature's order, or raises ``InputMismatchError``.

    The whole check runs where shapes or dtypes differ from the call before; a repeated call compares tuples only,
    because this lies inside the time that is measured. Names that the model does not take are left out.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._names = signature.input_names
        self._seen: list[tuple[tuple[int, ...], np.dtype]] = []
        self._batch: int | None = None

    @property
    def batch(self) -> int | None:
        """Size of the symbol ``batch`` in the last call; None where no input has it."""
        return self._batch

    def __call__(self, inputs: Arrays) -> list[np.ndarray]:
        try:
            arrays = [inputs[name] for name in self._names]
            seen = [(array.shape, array.dtype) for array in arrays]
        except (KeyError, AttributeError, TypeError):
            self._refuse(inputs)
            raise
        if seen != self._seen:
            symbols = self._check(inputs)
            self._batch = symbols.get(BATCH)
            self._seen = seen
        return arrays

    def _check(self, inputs: Arrays) -> dict[str, int]:
        self._signature.check(inputs)
        symbols: dict[str, int] = {}
        for spec in self._signature.inputs:
            for want, have in zip(spec.shape, inputs[spec.name].shape, strict=True):
                if isinstance(want, str) and symbols.setdefault(want, have) != have:
                    raise InputMismatchError(
                        f"input {spec.name!r} has {want} = {have}, an input before it has {symbols[want]}",
                        "Give all inputs of one batch the same sizes.",
                    )
        return symbols

    def _refuse(self, inputs: Arrays) -> None:
        """Say what is wrong in our words; returns where nothing is."""
        for name in self._names:
            if name in inputs and not isinstance(inputs[name], np.ndarray):
                raise InputMismatchError(
                    f"input {name!r} is a {type(inputs[name]).__name__}, a session takes numpy arrays",
                    "Convert it with numpy.asarray.",
                )
        self._signature.check(inputs)


def in_place(array: np.ndarray) -> np.ndarray:
    """The array itself where an engine may read its memory as it lies; a copy where it is strided or read-only."""
    flags = array.flags
    return array if flags.c_contiguous and flags.writeable else np.array(array, order="C")
