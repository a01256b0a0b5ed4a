"""``compare``: two models on the same samples, paired: accuracy and latency with intervals."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import UsageError
from ..core.evidence import Evidence
from ..core.hardware import Hardware
from ..core.model import Model
from ..core.record import decode
from ..core.verdict import AccuracyClaim, SpeedClaim
from ..core.workload import Workload
from ..measure import (
    AGAIN,
    Remote,
    a_a_control,
    judge,
    look_ahead,
    look_ahead_matches,
    parse_promise,
    run_rounds,
    settle_promise,
    speed_claim,
)
from ..report import metric_of
from . import jobs
from .data_job import prepare_side
from .data_place import found
from .open import engine_for, unpack
from .preparation import OPEN_SECONDS, open_reference
from .workers import Workers

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """``second`` against ``first``. ``speed``: one claim per workload (none with ``rounds=0``), ``a_a`` its control."""

    first: str
    second: str
    n: int
    accuracy: AccuracyClaim
    speed: tuple[SpeedClaim, ...]
    a_a: tuple[SpeedClaim, ...]
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The same for a person."""
        a = self.accuracy
        lines = [
            f"{metric_of(a) or 'Accuracy':<10} {a.verdict.value}: {self.second} {100 * a.candidate:.2f} %, "
            f"{self.first} {100 * a.original:.2f} % on {a.n:,} samples; at worst {-100 * a.lower:.2f} points lower "
            f"({100 * (1 - a.alpha):g} % sure), "
            f"margin {100 * a.margin:.3g}"
        ]
        if a.note:
            lines.append(f"           {a.note}")
        for s in self.speed:
            r = s.ratio
            lines.append(
                f"Speed      {s.verdict.value}: {r.estimate:.2f}x [{r.low:.2f}, {r.high:.2f}], "
                f"{1e3 * s.candidate_seconds:.3g} ms against {1e3 * s.baseline_seconds:.3g} ms; {s.workload.label}"
                + (f"; {s.note}" if s.note else "")
            )
        for s in self.a_a:
            r = s.ratio
            lines.append(f"Control    {self.first} against itself: {r.estimate:.2f}x [{r.low:.2f}, {r.high:.2f}]")
        return "\n".join([*lines, *(f"Warning    {w}" for w in self.warnings)])


@dataclass(frozen=True, eq=False)
class _Side:
    """One model with its own preprocessing, ready to be run."""

    name: str
    model: Model
    engine: str
    folder: Path
    workloads: tuple[Workload, ...]
    feeds: tuple[Path, ...]
    task: str
    note: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict)


def compare(
    first: str | Path,
    second: str | Path,
    *,
    data: Any = None,
    max_drop: str | float | None = "1pt",
    agree: str | float | None = None,
    weights: str | Path | None = None,
    task: str | None = None,
    batch: int = 1,
    threads: int = 0,
    rounds: int = 12,
    calls: int = 20,
    key: str | Path | None = None,
    unsigned: bool = False,
    **options: Any,
) -> Comparison:
    """Compare ``second`` with ``first``: bundles, or model references (each on the engine a reference runs on).

    Both answer every sample of ``data`` once; the claim is the paired test at the margin. The samples must not have
    been used to choose or make either model. ``rounds`` 0 leaves latency out. Raises a ``SpeedwellError``.
    """
    if data is None:
        raise UsageError(
            "compare needs data", "Name labelled samples with --data (or unlabelled ones and --agree 99%)."
        )
    if isinstance(data, (str, Path)):
        data = found(data, "data")
    promise = parse_promise(max_drop=None if agree else max_drop, agree=agree)
    hardware = Hardware.here()
    threads = threads or hardware.cores
    scratch = Path(tempfile.mkdtemp(prefix="speedwell-compare-"))
    try:
        workers = Workers(scratch / "work", hardware, threads)
        arguments = {
            "data": data,
            "task": task,
            "options": options,
            "batch": batch,
            "threads": threads,
        }
        sides = [
            _side(name, Path(scratch / str(i)), workers, weights, key, unsigned, arguments)
            for i, name in enumerate((str(first), str(second)))
        ]
        if "metric" not in options:  # one figure for both: the one that a bundle was certified by
            options |= next(({"metric": s.answer["metric"]} for s in sides if "metric" in s.answer), {})
        evidence = [_evidence(side, workers, batch, options) for side in sides]
        if promise.stated == "auto":
            promise = settle_promise(promise, None, _tightest(evidence[0]))
        elif len(evidence[0].scores):
            promise = settle_promise(promise, evidence[0].metric())
        claim = judge(evidence[0], evidence[1], promise)
        speed, a_a, warnings = _speed(sides, workers, rounds, calls, options) if rounds else ((), (), ())
        warnings = (*(f"{s.name} {s.note}" for s in sides if s.note), *warnings)
        return Comparison(str(first), str(second), claim.n, claim, speed, a_a, warnings)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _side(
    name: str,
    folder: Path,
    workers: Workers,
    weights: str | Path | None,
    key: str | Path | None,
    unsigned: bool,
    arguments: Mapping[str, Any],
) -> _Side:
    folder.mkdir()
    transform: Path | None = None
    answer: dict[str, Any] = {}
    given, note = dict(arguments), ""
    if (Path(name) / "manifest.json").is_file():
        (folder / "bundle").mkdir()
        unpacked, _ = unpack(Path(name), folder / "bundle", key, unsigned)
        model, transform = unpacked.model, unpacked.preprocessing
        engine, note = engine_for(unpacked.manifest.candidate.engine, workers.hardware)
        given["task"] = given["task"] or unpacked.manifest.task
        # what a model says of its boxes stays with a bundle in its answer, as it carries no hints
        answer = {k: v for k, v in unpacked.manifest.answer.items() if k in ("detection", "metric")}
    else:
        model = open_reference(name, str(weights) if weights else None, folder / "model", workers)
        engine = "eager" if model.form == "torch" else "onnxruntime"
    (folder / "data").mkdir()
    facts = workers.job(
        prepare_side, OPEN_SECONDS, model=model, folder=folder / "data", transform=transform, **given
    ).value
    feeds = tuple(Path(p) for p in facts["feeds"])
    if model.form == "torch" and not model.signature.outputs:
        model = decode(Model, workers.job(jobs.complete_model, OPEN_SECONDS, model=model, feeds=feeds[0]).value)
    workloads = decode(tuple[Workload, ...], facts["workloads"])
    return _Side(name, model, engine, folder / "data", workloads, feeds, facts["task"], note, answer)


def _open(side: _Side, workers: Workers, options: Mapping[str, Any], workload: int = 0) -> Remote:
    feeds = (side.feeds[workload],)
    options = {**side.answer, **options}
    return workers.session(side.model, side.engine, side.workloads[workload], feeds, OPEN_SECONDS, side.task, options)


def _evidence(side: _Side, workers: Workers, batch: int, options: Mapping[str, Any]) -> Evidence:
    with _open(side, workers, options) as remote:
        reply = remote.call("evaluate", seconds=3600.0, split=side.folder / "all", start=0, stop=10**9, batch=batch)
    return Evidence.of_arrays(reply.value["kind"], reply.arrays)


def _tightest(evidence: Evidence) -> float:
    """The smallest margin that so many samples can show."""
    if evidence.kind == "matches":
        return look_ahead_matches(evidence, len(evidence)).tightest
    return look_ahead(len(evidence), 0.0, evidence.kind).tightest


def _speed(
    sides: list[_Side], workers: Workers, rounds: int, calls: int, options: Mapping[str, Any]
) -> tuple[tuple[SpeedClaim, ...], tuple[SpeedClaim, ...], tuple[str, ...]]:
    claims, controls, warnings = [], [], []
    first, second = sides
    for i in range(min(len(first.workloads), len(second.workloads))):
        openers = {
            "first": lambda i=i: _open(first, workers, options, i),
            "second": lambda i=i: _open(second, workers, options, i),
            "first" + AGAIN: lambda i=i: _open(first, workers, options, i),
        }
        timed = run_rounds(openers, rounds, calls, np.random.default_rng(i))
        warnings += [f"{name}: {failure.message}" for name, failure in timed.failures.items()]
        workload = replace(first.workloads[i])
        if again := timed.pairs("first", "first" + AGAIN):
            control = a_a_control(again, "first", workload)
            controls.append(control.claim)
            if pairs := timed.pairs("first", "second"):
                claims.append(speed_claim(pairs, "first", workload, control))
    return tuple(claims), tuple(controls), tuple(warnings)
