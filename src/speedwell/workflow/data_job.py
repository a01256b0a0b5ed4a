"""What a worker runs to turn data into splits, encoded samples and the inputs that are timed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputMismatchError, ResumeError, UsageError
from ..core.model import Model
from ..core.record import content_hash, encode
from ..core.signature import BATCH, SEQUENCE
from ..core.workload import Workload
from ..inputs import EncodedSplit, Samples, Splits, Transform, make_splits
from ..tasks import build, check_labels, guess_task, read_options
from .prepared import DataFacts

__all__ = ["ENCODE_SECONDS", "encode_confirmation", "generate_feeds", "prepare_data", "prepare_side"]

ENCODE_SECONDS = 12.0
"""Encoding the selection split may take this long: the first row is due 45 s after the start (F3)."""
LEAST_SELECTION, MOST_SELECTION = 200, 2500
CHECK_SAMPLES = 8
UNKNOWN_LENGTH = 128  # tokens, where no data says how long texts are


def prepare_data(
    model: Model,
    task: str | None,
    sets: Mapping[str, Any],
    options: Mapping[str, Any],
    folder: Path,
    seed: int,
    batch: int,
    threads: int,
    everything: bool = False,
) -> dict[str, Any]:
    """Read ``sets`` ("data" and splits given apart: paths or live objects), split, encode, choose what is timed.

    Writes ``transform/``, ``calibration/``, ``selection/`` (``everything``: also ``confirmation/``), ``feed-<i>.npz``
    and ``check-<i>.npz`` into ``folder``. Answers {"data": DataFacts, "workloads": [...], "feeds": [...],
    "checks": [...]}. Raises a ``DataError`` or ``InputMismatchError``.
    """
    name = task or guess_task(next(iter(sets.values())), model, options)
    chosen = build(name, options)
    splits, transform = _split(model, chosen, sets, options, seed)
    transform.save(folder / "transform")
    calibration = EncodedSplit.write(folder / "calibration", splits.samples, splits.calibration, transform)
    began = time.perf_counter()
    probe = splits.selection[:16]
    EncodedSplit.write(folder / "selection", splits.samples, probe, transform)
    per_sample = (time.perf_counter() - began) / len(probe)
    wanted = len(splits.selection) if everything else max(LEAST_SELECTION, int(ENCODE_SECONDS / per_sample))
    selection = EncodedSplit.write(folder / "selection", splits.samples, splits.selection[:wanted], transform)
    if everything:
        EncodedSplit.write(folder / "confirmation", splits.samples, splits.confirmation, transform)
    bad = [*splits.samples.bad, *calibration.bad, *selection.bad]
    told = [*splits.samples.warnings, *splits.warnings, *transform.assumed]
    if chosen.metric_name == "score":
        told.append("scores are shown times 100: 0.95 of your score as 95 %, 0.01 as 1 point")
    facts = DataFacts(
        task=name,
        kind=transform.kind,
        classes=splits.samples.classes,
        labelled=bool((selection.targets >= 0).any()),
        counts=splits.counts,
        encoded={"calibration": len(calibration), "selection": len(selection)},
        encode_seconds=per_sample,
        warnings=tuple(dict.fromkeys(told)),
        bad=tuple(dict.fromkeys(f"{b.origin}: {b.reason}" for b in bad)),
        metric=chosen.metric_name,
    )
    workloads, batches, lengths = _workloads(selection, batch, threads)
    for inputs in batches:
        model.signature.check(inputs) if model.form == "onnx" else None
    feeds = [_save(folder / f"feed-{i}.npz", inputs) for i, inputs in enumerate(batches)]
    checks = [*feeds, *_checks(folder, model, selection, batches[0], batch)]
    _write_origin(folder, splits)
    return {
        "data": encode(replace(facts, lengths=lengths)),
        "workloads": encode(workloads),
        "feeds": encode(feeds),
        "checks": encode(checks),
    }


def prepare_side(
    model: Model,
    data: Any,
    task: str | None,
    options: Mapping[str, Any],
    folder: Path,
    batch: int,
    threads: int,
    transform: Path | None,
) -> dict[str, Any]:
    """For ``compare``: every sample once, encoded into ``folder/all`` in the data's order, with what is timed.

    ``transform``: a bundle's stored preprocessing, None for the declared one.
    """
    name = task or guess_task(data, model, options)
    chosen = build(name, options)
    samples = chosen.read(data, read_options(model, options))
    seen = {**options, **chosen.sample_options(samples)}
    declared = Transform.open(transform) if transform is not None else chosen.transform(model, seen)
    digests = samples.digests()
    once = {d: i for i, d in reversed(list(enumerate(digests))) if d}
    split = EncodedSplit.write(folder / "all", samples, sorted(once.values()), declared)
    workloads, batches, _ = _workloads(split, batch, threads)
    feeds = [_save(folder / f"feed-{i}.npz", inputs) for i, inputs in enumerate(batches)]
    return {"task": name, "n": len(split), "workloads": encode(workloads), "feeds": encode(feeds)}


def encode_confirmation(
    model: Model, task: str, sets: Mapping[str, Any], options: Mapping[str, Any], folder: Path, seed: int, n: int
) -> dict[str, Any]:
    """Encode the first ``n`` of the confirmation split into ``folder/confirmation``.

    Raises ``ResumeError`` where the data is no longer what it was when the run was prepared.
    """
    splits, _ = _split(model, build(task, options), sets, options, seed)
    _check_origin(folder, splits)
    transform = Transform.open(folder / "transform")
    written = EncodedSplit.write(folder / "confirmation", splits.samples, splits.confirmation[:n], transform)
    return {"n": len(written), "bad": [f"{b.origin}: {b.reason}" for b in written.bad]}


def generate_feeds(
    model: Model, task: str | None, options: Mapping[str, Any], folder: Path, seed: int, batch: int, threads: int
) -> dict[str, Any]:
    """Without data: inputs made from the signature, or from what the source knows of the preprocessing.

    Raises ``UsageError`` where neither says the shape.
    """
    rng = np.random.default_rng(seed)
    made = [_generated(model, options, rng, batch) for _ in range(4)]
    shapes = {k: tuple(v.shape) for k, v in made[0].items()}
    workload = Workload(batch, threads, shapes, "generated inputs")
    feeds = [_save(folder / "feed-0.npz", made[0])]
    checks = feeds + [_save(folder / f"check-{i}.npz", m) for i, m in enumerate(made[1:])]
    facts = DataFacts(task=task or "", kind="generated")
    return {
        "data": encode(facts),
        "workloads": encode((workload,)),
        "feeds": encode(feeds),
        "checks": encode(checks),
    }


def _split(
    model: Model, task: Any, sets: Mapping[str, Any], options: Mapping[str, Any], seed: int
) -> tuple[Splits, Transform]:
    reading = read_options(model, options)
    read: dict[str, Samples] = {name: task.read(data, reading) for name, data in sets.items()}
    first = next(iter(read.values()))
    transform = task.transform(model, {**options, **task.sample_options(first)})
    first.warnings += [w for w in check_labels(first, model) if w not in first.warnings]
    sizes = {}
    if "confirmation" in read and "selection" not in read:
        # with the proof given apart, a small data set is better looked at than left for training
        n = len(read["data"])
        sizes["selection"] = min(MOST_SELECTION, max(n // 4, min(1000, 3 * n // 4), 1))
    return make_splits(read["data"] if list(read) == ["data"] else read, seed, sizes), transform


def _workloads(
    split: EncodedSplit, batch: int, threads: int
) -> tuple[tuple[Workload, ...], list[dict[str, np.ndarray]], tuple[int, ...]]:
    """What is timed: one shape for images; for texts the median and the 95th-percentile length, as real samples."""
    lengths = split.lengths
    if lengths is None:
        inputs = split.batch([i % len(split) for i in range(batch)])
        return (Workload(batch, threads, _shapes(inputs)),), [inputs], ()
    quantiles = [int(np.quantile(lengths, q, method="nearest")) for q in (0.5, 0.95)]
    workloads: list[Workload] = []
    batches: list[dict[str, np.ndarray]] = []
    for name, length in zip(("median length", "95th-percentile length"), quantiles, strict=True):
        # one sample of exactly this length sets the shape, the rest of a batch are the next shorter ones
        fitting = np.flatnonzero(lengths <= length)
        order = fitting[np.argsort(-lengths[fitting], kind="stable")]
        inputs = split.batch([int(order[i % len(order)]) for i in range(batch)])
        if all(_shapes(inputs) != w.shapes for w in workloads):
            workloads.append(Workload(batch, threads, _shapes(inputs), name))
            batches.append(inputs)
    return tuple(workloads), batches, tuple(quantiles)


def _checks(folder: Path, model: Model, split: EncodedSplit, first: Mapping[str, np.ndarray], batch: int) -> list[Path]:
    """Inputs on which every candidate's outputs are compared with the original's: real samples and an edge."""
    checks = []
    for i in range(0, min(CHECK_SAMPLES, len(split)), batch):
        index = [min(i + k, len(split) - 1) for k in range(batch)]
        checks.append(_save(folder / f"check-{i}.npz", split.batch(index)))
    if all(np.issubdtype(v.dtype, np.floating) for v in first.values()):
        checks.append(_save(folder / "check-zeros.npz", {k: np.zeros_like(v) for k, v in first.items()}))
    del model
    return checks


def _generated(model: Model, options: Mapping[str, Any], rng: np.random.Generator, batch: int) -> dict[str, np.ndarray]:
    hints = model.origin.hints
    inputs = {}
    for spec in model.signature.inputs:
        shape, dtype = spec.shape, spec.dtype or "float32"
        text = spec.name in ("input_ids", "attention_mask", "token_type_ids") or bool(hints.get("text"))
        if not shape and text:
            shape, dtype = (BATCH, SEQUENCE), "int64"
        elif not shape:
            size = options.get("size") or (hints.get("image") or {}).get("size")
            if not size:
                raise UsageError(
                    f"nothing says the shape of the input {spec.name!r}",
                    "Name the image size with --size 224, or give samples with --data.",
                )
            height, width = (size, size) if isinstance(size, int) else (size[-2], size[-1])
            gray = (options.get("colour") or (hints.get("image") or {}).get("colour")) == "gray"
            shape = (BATCH, 1 if gray else 3, int(height), int(width))
        if isinstance(shape[0], int) and shape[0] != batch:
            raise InputMismatchError(
                f"the model takes batches of {shape[0]}, --batch is {batch}", f"Use --batch {shape[0]}."
            )
        full = tuple(d if isinstance(d, int) else batch if i == 0 else UNKNOWN_LENGTH for i, d in enumerate(shape))
        if np.issubdtype(np.dtype(dtype), np.floating):
            inputs[spec.name] = rng.standard_normal(full).astype(dtype)
        elif dtype == "bool" or "mask" in spec.name:
            inputs[spec.name] = np.ones(full, dtype)
        elif "type" in spec.name or "segment" in spec.name:
            inputs[spec.name] = np.zeros(full, dtype)
        else:
            inputs[spec.name] = rng.integers(0, 100, full).astype(dtype)
    return inputs


def _write_origin(folder: Path, splits: Splits) -> None:
    (folder / "splits.sha256").write_text(_origin(splits))


def _check_origin(folder: Path, splits: Splits) -> None:
    if (folder / "splits.sha256").read_text() != _origin(splits):
        raise ResumeError(
            "the data is no longer what it was when this run was prepared", "Start a new run on the data as it is now."
        )


def _origin(splits: Splits) -> str:
    """One hash over which sample is in which split."""
    digests = splits.samples.digests()
    return content_hash(
        {name: [digests[i] for i in splits[name].tolist()] for name in ("calibration", "selection", "confirmation")}
    )


def _shapes(inputs: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {k: tuple(v.shape) for k, v in inputs.items()}


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path
