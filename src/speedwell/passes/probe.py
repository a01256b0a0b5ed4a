"""Inputs to compare two models on: calibration samples where there are any, else random ones; in any size."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from ..core import BATCH, Context, Model, TensorSpec

__all__ = ["probe", "probe_sizes", "resized"]

DEFAULT_SIZE = 16
"""What a symbolic dimension other than the batch gets where neither workload nor calibration says."""


def probe_sizes(model: Model, context: Context) -> tuple[dict[str, int], dict[str, int]]:
    """Two bindings of the model's symbols that differ in each: batch 2 and 3, other dimensions full and a bit less."""
    full: dict[str, int] = {}
    for spec in model.signature.inputs:
        shape = context.workload.shapes.get(spec.name, ())
        for axis, dim in enumerate(spec.shape):
            if isinstance(dim, str):
                full.setdefault(dim, shape[axis] if axis < len(shape) else DEFAULT_SIZE)
    # 0 and 1 are special to exporters and broadcast silently; so is a length equal to the batch
    first = {s: 2 if s == BATCH else max(n, 5) for s, n in full.items()}
    second = {s: 3 if s == BATCH else n - 1 for s, n in first.items()}
    return first, second


def probe(model: Model, context: Context, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Inputs with the symbols bound to ``sizes``; the same for the same context.

    Without calibration data: standard normal floats; integers are 0 or 1, masks all ones, token types all zeros.
    """
    batch = next(iter(itertools.islice(context.calibration(), 1)), None)
    rng = np.random.default_rng(context.seed)
    return {
        spec.name: resized(spec, batch[spec.name], sizes) if batch is not None else _random(spec, sizes, rng)
        for spec in model.signature.inputs
    }


def resized(spec: TensorSpec, array: np.ndarray, sizes: Mapping[str, int]) -> np.ndarray:
    """``array`` cut, or repeated from its start, along each symbolic axis to its size."""
    for axis, dim in enumerate(spec.shape):
        if isinstance(dim, str):
            array = np.take(array, np.arange(sizes[dim]) % array.shape[axis], axis=axis)
    return np.ascontiguousarray(array)


def _random(spec: TensorSpec, sizes: Mapping[str, int], rng: np.random.Generator) -> np.ndarray:
    shape, dtype = spec.bind(sizes), np.dtype(spec.dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    if "mask" in spec.name:
        return np.ones(shape, dtype)
    if "type" in spec.name:
        return np.zeros(shape, dtype)
    return rng.integers(0, 2, shape).astype(dtype)
