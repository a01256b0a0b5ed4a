"""What leaves a run: the bundle (best so far, then the certified one), the result, the report."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import BundleContents, BundleEvidence, EvidenceRecord, Probe, own_key, write_bundle
from ..core.candidate import Candidate
from ..core.errors import OutputError, SpeedwellError
from ..core.evidence import Evidence
from ..core.model import Model
from ..core.outcome import Outcome, Timing
from ..core.record import dumps, encode
from ..core.result import Confirmation, Refusal, Result
from ..inputs import Transform
from ..report import verdict_sentence, write_html
from ..search import front, refusals
from .confirming import Confirmed, scores_path
from .kept_answers import answer_arrays
from .preparation import OPEN_SECONDS
from .prepared import Prepared, bundleable
from .run_folder import RunFolder
from .searching import Search, measured_plan
from .session_service import kept

__all__ = [
    "bundleable", "check_out", "hand_over_best", "hand_over_winner", "write_profiles", "write_report_beside",
    "write_result", "write_scores", "write_trials",
]  # fmt: skip

LOSSLESS_TOLERANCE, LOSSY_TOLERANCE = 0.01, 0.5
"""Largest difference of a probe's outputs on another CPU, in units of their spread: rounding for float32, a few
rounding steps of an activation for int8 and bfloat16 (measured: 0.05 to 0.3 between engines on one graph)."""


def check_out(out: Path) -> None:
    """Raise ``OutputError`` early where ``out`` cannot take a bundle: not after the search has used its time."""
    parent = out.absolute().parent
    there = next(p for p in (parent, *parent.parents) if p.exists())  # what is missing comes with the bundle
    try:
        probe = there / f".{out.name}.speedwell-probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write into {parent}: {error.strerror}", "Name a folder that can be written with --out."
        ) from error
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / "manifest.json").is_file()):
        raise OutputError(f"{out} is there already and is no bundle", "Name another place with --out.")


def hand_over_best(search: Search, outcome: Outcome, out: Path) -> Path | None:
    """The best so far as a valid bundle, marked "not confirmed"."""
    p = search.prepared
    if bundleable(p, outcome.candidate):
        return None
    return _bundle(search, outcome, out, None, {}, ())


def hand_over_winner(search: Search, confirmed: Confirmed, out: Path) -> Path | None:
    """The certified winner's bundle; None where there is none."""
    best = confirmed.best
    if best is None:
        return None
    outcome = next(o for o in search.outcomes if o.candidate.key == best.candidate.key)
    key = best.candidate.key
    base = search.prepared.candidate.key
    scores = {n: confirmed.evidence[k] for n, k in (("original", base), ("winner", key)) if k in confirmed.evidence}
    return _bundle(search, outcome, out, best, scores, confirmed.timings.get(key, ()))


def _bundle(
    search: Search,
    outcome: Outcome,
    out: Path,
    confirmation: Confirmation | None,
    scores: Mapping[str, Evidence],
    timings: tuple[Timing, ...],
) -> Path:
    """In a worker: signing loads libraries that the parent has no use for."""
    built = search.bench.build(outcome.candidate)
    arguments = {
        "model": built.model,
        "outcome": outcome,
        "prepared": search.prepared,
        "confirmation": confirmation,
        "scores": dict(scores),
        "timings": timings or outcome.timings,
        "out": out.absolute(),
    }
    return Path(search.workers.job(write_in_worker, OPEN_SECONDS, **arguments).value)


def write_in_worker(
    model: Model,
    outcome: Outcome,
    prepared: Prepared,
    confirmation: Confirmation | None,
    scores: Mapping[str, Evidence],
    timings: tuple[Timing, ...],
    out: Path,
) -> str:
    """Make the probe on generated inputs, write and sign the bundle. Runs in a worker."""
    from .. import __version__
    from ..core.hardware import Hardware

    hardware = Hardware.here()
    record = EvidenceRecord(
        time.time(), hardware.fingerprint, hardware, confirmation, (), timings, {"preflight": prepared.preflight}
    )
    transform = prepared.folder / "transform"
    contents = BundleContents(
        model=model,
        candidate=outcome.candidate,
        task=prepared.data.task,
        classes=prepared.data.classes or tuple(prepared.model.origin.hints.get("classes") or ()),
        promise=prepared.promise,
        workloads=prepared.workloads,
        original=prepared.model.digest,
        confirmed=confirmation is not None,
        preprocessing=transform if transform.is_dir() else None,
        evidence=BundleEvidence(record, scores, _probe(model, outcome, prepared)),
        speedwell=__version__,
        answer=_answer(prepared, model),
        beside=_carried(outcome.candidate.engine) if confirmation is not None else None,
    )
    return str(write_bundle(out, contents, own_key()))


def _answer(prepared: Prepared, model: Model) -> dict[str, Any]:
    """How outputs become an answer, as far as the task's defaults do not say it."""
    options = prepared.settings.options
    if prepared.data.task != "object-detection":
        return {k: v for k, v in options.items() if k in ("threshold", "output")}
    from ..tasks import build_detection

    size = getattr(Transform.open(prepared.folder / "transform"), "size", None)
    task = build_detection(options, model, size)
    return {"detection": dict(task.detection), "metric": task.metric_name}


def _carried(engine: str) -> Callable[[Path], object] | None:
    """What a certified bundle carries beside its model, so that opening it need not make it: the native engine's plan.
    The best so far does without: it is written often, and lowering again costs its reader a second or two.
    """
    from ..native import keep_plan

    return keep_plan if engine == "native" else None


def _probe(model: Model, outcome: Outcome, prepared: Prepared) -> Probe:
    """Generated inputs and what this product answers to them here. Never a user's sample."""
    from ..engines import REGISTRY

    workload = prepared.workloads[0]
    rng = np.random.default_rng(0)
    inputs = {}
    for spec in model.signature.inputs:
        shape = workload.shapes[spec.name]
        if np.issubdtype(np.dtype(spec.dtype), np.floating):
            inputs[spec.name] = rng.standard_normal(shape).astype(spec.dtype)
        else:
            inputs[spec.name] = np.ones(shape, spec.dtype)
    scratch = prepared.folder.parent / "scratch" / "probe"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    session = kept(REGISTRY.get(outcome.candidate.engine)).compile(model, workload, scratch)
    try:
        outputs = session.run(inputs)
    finally:
        session.close()
    tolerance = LOSSLESS_TOLERANCE if outcome.lossless else LOSSY_TOLERANCE
    return Probe(0, inputs, outputs, tolerance)


def write_scores(run: RunFolder, confirmed: Confirmed, original: Candidate) -> None:
    """Keep the confirmation's answers in the run, for ``label`` and the report."""
    best = confirmed.best
    kept: dict[str, Evidence] = {}
    shown = best.candidate if best else next((c.candidate for c in confirmed.confirmations), None)
    for name, key in (("original", original.key), ("winner", shown.key if shown else "")):
        if key in confirmed.evidence:
            kept[name] = confirmed.evidence[key]
    if kept:
        np.savez(scores_path(run.path), **answer_arrays(kept))  # type: ignore[arg-type]


def write_result(
    run: RunFolder, search: Search, confirmed: Confirmed | None, facts: Mapping[str, Any], warnings: tuple[str, ...]
) -> Result:
    """``result.json`` and ``trials.json``: all that the report reads."""
    p, outcomes, judgements = search.prepared, search.outcomes, search.judgements()
    best = confirmed.best.candidate if confirmed is not None and confirmed.best is not None else None
    lost = [r for r in refusals(outcomes, judgements) if best is None or r.candidate.key != best.key]
    if confirmed is not None:
        lost += [Refusal(c.candidate, c.reason) for c in confirmed.confirmations if not c.certified and c.reason]
    result = Result(
        run=run.path.name,
        sentence="",
        promise=p.promise,
        workloads=p.workloads,
        original=replace(search.original, evidence=None),
        best=best,
        front=tuple(o.candidate for o in front(outcomes, search.original)),
        refused=tuple(lost),
        confirmations=confirmed.confirmations if confirmed else (),
        splits={k: v for k, v in p.data.counts.items()} | ({"confirmed": p.confirmation} if not p.data.none else {}),
        a_a=confirmed.a_a if confirmed else (),
        hardware=search.workers.hardware,
        environment={
            **facts,
            "not tried": dict(measured_plan(search)),
            "notes": list(search.notes),
            **_safety(search, best),
        },
        warnings=warnings,
    )
    result = replace(result, sentence=verdict_sentence(result))
    write_trials(run, outcomes)
    run.write_text("result.json", dumps(result))
    return result


def _safety(search: Search, best: Candidate | None) -> dict[str, Any]:
    """What the report says was checked, and what was not."""
    checked = [
        "Every candidate's outputs were compared with the original's on real and edge inputs before it was timed.",
        "Model files were read in a worker process; nothing that can run code on load was opened.",
        "Calibration, selection and confirmation samples are disjoint by content hash.",
    ]
    unchecked = ["Label errors, near duplicates, backdoors and membership leaks: not checked in this release."]
    facts: dict[str, Any] = {"checked": checked, "unchecked": unchecked, "preflight": search.prepared.preflight}
    won = next((o for o in search.outcomes if best is not None and o.candidate.key == best.key), None)
    if won is not None:
        checked.append("The bundle is signed with your key; every file in it is hashed; it holds none of your samples.")
        facts["best_size_bytes"] = won.size_bytes
    return facts


def write_trials(run: RunFolder, outcomes: tuple[Outcome, ...]) -> None:
    """``trials.json`` from the store; what was found in each image stays there, the scores are enough to read."""
    small = [replace(o, evidence=o.evidence.without_matches()) if o.evidence is not None else o for o in outcomes]
    run.write_text("trials.json", json.dumps({"schema": 1, "trials": [encode(o) for o in small]}))


def write_profiles(run: RunFolder, search: Search, best: Candidate | None) -> None:
    """Time by operator, before and after; what an engine cannot say is left out."""
    profiles: dict[str, Any] = {}
    for name, candidate in (("original", search.prepared.candidate), ("winner", best)):
        if candidate is None:
            continue
        try:
            built = search.bench.build(candidate)
            with search.bench.open(built.model, candidate.engine) as remote:
                profiles[name] = remote.call("profile", runs=5).value
        except SpeedwellError as error:  # the verdict stands without it
            search.progress.warning(f"No times by operator of the {name}: {error.what.partition(chr(10))[0]}")
    run.write("profile.json", profiles)


def write_report_beside(run: RunFolder, bundle: Path | None, show_samples: Any = None) -> Path:
    """The html file: beside the bundle where there is one, else in the run."""
    target = bundle.with_name(f"{bundle.name}.report.html") if bundle is not None else run.path / "report.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_html(run.path, target, show_samples)
