"""Ranges of a graph's tensors over the calibration data: two passes, memory bounded by one batch."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core import Arrays, Context, Model, array_digest, bytes_digest
from ...core.errors import PreconditionError
from ..reference import session
from .histogram import Histogram

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["MAX_SAMPLES", "Observation", "calibration_batches", "calibration_digest", "observe", "run_of"]

MAX_SAMPLES = 512
"""Calibration samples read at most. Ranges settle within a few hundred; each costs two runs of the network."""
MAX_VALUES = 1 << 21
"""Values of one tensor counted into its histogram at most; minimum and maximum see all of them."""

Observation = Mapping[str, Histogram]
"""Tensor name -> its distribution."""


def calibration_batches(context: Context, samples: int = MAX_SAMPLES) -> Iterator[Arrays]:
    """The calibration batches up to about ``samples`` samples; at least one batch where there is data."""
    seen = 0
    for batch in context.calibration():
        yield batch
        seen += len(next(iter(batch.values())))
        if seen >= samples:
            return


def calibration_digest(context: Context) -> str:
    """sha256 (hex) over the batches that are read."""
    h = hashlib.sha256()
    for batch in calibration_batches(context):
        for name in sorted(batch):
            h.update(name.encode() + bytes.fromhex(array_digest(batch[name])))
    return h.hexdigest()


def observe(graph: ir.Model, model: Model, tensors: Iterable[str], context: Context) -> Observation:
    """The distribution of each of ``tensors``, float tensors of ``graph`` (which is ``model``'s), kept in scratch.

    Raises ``PreconditionError`` without calibration data, or where a tensor is not finite on it.
    """
    names = sorted(set(tensors))
    key = bytes_digest("|".join([model.digest, calibration_digest(context), *names]).encode())
    store = context.scratch / f"ranges-{key[:32]}.npz"
    if store.exists():
        with np.load(store, allow_pickle=False) as kept:
            return {
                n: Histogram(float(kept["ends"][i, 0]), float(kept["ends"][i, 1]), kept["counts"][i])
                for i, n in enumerate(names)
            }
    found = _histograms(run_of(graph, names, context, f"ranges-{key[:32]}"), names, context)
    _keep(store, names, found)
    return found


def _histograms(
    run: Callable[[Arrays], dict[str, np.ndarray]], names: list[str], context: Context
) -> dict[str, Histogram]:
    lows, highs, sizes = dict.fromkeys(names, np.inf), dict.fromkeys(names, -np.inf), dict.fromkeys(names, 0)
    for outputs in map(run, calibration_batches(context)):
        for name, value in outputs.items():
            if value.size:
                # min and max carry a NaN along only when it comes first; the sum carries each
                if not np.isfinite(value.sum(dtype=np.float64)):
                    raise PreconditionError(f"tensor {name!r} is not finite on the calibration data")
                lows[name] = min(lows[name], float(value.min()))
                highs[name] = max(highs[name], float(value.max()))
                sizes[name] += value.size
    if not any(sizes.values()):
        raise PreconditionError("there is no calibration data", "Give data, or use quantize_dynamic.")
    found = {n: Histogram(lows[n], highs[n]) if sizes[n] else Histogram(0.0, 0.0) for n in names}
    strides = {n: -(-sizes[n] // MAX_VALUES) | 1 for n in names}  # odd: does not lock to a power-of-2 channel count
    for i, outputs in enumerate(map(run, calibration_batches(context))):
        for name, value in outputs.items():
            found[name].add(value.reshape(-1)[i % strides[name] :: strides[name]])
    return found


def run_of(
    graph: ir.Model, names: Sequence[str], context: Context, file: str
) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """A function from a calibration batch to ``names``, tensors of ``graph`` or its inputs.

    ``file``: a name in scratch for the model, which goes once it is open.
    """
    import onnx_ir as ir

    copy = graph.clone()
    values = {v.name: v for node in copy.graph for v in node.outputs} | {v.name: v for v in copy.graph.inputs}
    outputs = {v.name for v in copy.graph.outputs}
    copy.graph.outputs.extend(values[n] for n in names if n not in outputs and not values[n].is_graph_input())
    path = context.scratch / f"{file}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        ir.save(copy, path)
        opened = session(path, context.workload.threads, optimize=True)
    finally:
        path.unlink(missing_ok=True)
    inputs = [i.name for i in opened.get_inputs()]
    given = [n for n in names if n not in inputs]

    def run(batch: Arrays) -> dict[str, np.ndarray]:
        feed = {n: np.ascontiguousarray(batch[n]) for n in inputs}
        found = opened.run(given, feed) if given else []
        return dict(zip(given, found, strict=True)) | {n: feed[n] for n in names if n in feed}

    return run


def _keep(store: Path, names: list[str], found: Observation) -> None:
    ends = np.array([(found[n].low, found[n].high) for n in names]).reshape(-1, 2)
    with tempfile.NamedTemporaryFile(dir=store.parent, delete=False) as file:
        np.savez_compressed(file, ends=ends, counts=np.array([found[n].counts for n in names]))
    Path(file.name).replace(store)
