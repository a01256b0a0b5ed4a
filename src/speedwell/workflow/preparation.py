"""From what the user named to what can be searched: model, data, promise, workloads."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import DataNotFoundError, InputMismatchError, UsageError
from ..core.model import Model
from ..core.record import decode
from ..core.verdict import Promise
from ..core.workload import Workload
from ..measure import parse_promise
from . import jobs
from .data_job import generate_feeds, prepare_data
from .data_place import found
from .prepared import DataFacts, Prepared
from .run_folder import RunFolder
from .settings import Settings
from .workers import Workers

__all__ = ["OPEN_SECONDS", "open_reference", "prepare", "promise_for", "sets_of"]

OPEN_SECONDS = 300.0
"""Opening a model or reading data may take this long."""
STATE_DICTS = (".pth", ".pt", ".bin", ".ckpt")


def prepare(
    run: RunFolder,
    settings: Settings,
    workers: Workers,
    live_model: Model | None = None,
    live_sets: Mapping[str, Any] | None = None,
) -> Prepared:
    """Open the model and the data in workers. ``live_model``: already saved by ``sources.save_live``;
    ``live_sets``: live data, read and encoded here, in this process.

    Raises ``ModelError``, ``DataError``, ``UsageError`` or ``JobError``; nothing is left half done that a resumed run
    would trust.
    """
    model = live_model or open_reference(settings.model, settings.weights, run.models, workers)
    _check_batch(model, settings.batch)
    sets = dict(live_sets or {}) or sets_of(settings)
    arguments: dict[str, Any] = {
        "model": model,
        "task": settings.task,
        "options": dict(settings.options),
        "folder": run.data,
        "seed": settings.seed,
        "batch": settings.batch,
        "threads": settings.threads,
    }
    if live_sets:
        facts = prepare_data(**arguments, sets=sets, everything=True)
    elif sets:
        facts = workers.job(prepare_data, OPEN_SECONDS, **arguments, sets=sets).value
    else:
        facts = workers.job(generate_feeds, OPEN_SECONDS, **arguments).value
    data = decode(DataFacts, facts["data"])
    feeds = tuple(Path(p) for p in facts["feeds"])
    if model.form == "torch":
        model = decode(Model, workers.job(jobs.complete_model, OPEN_SECONDS, model=model, feeds=feeds[0]).value)
    return Prepared(
        settings=settings,
        model=model,
        engine="eager" if model.form == "torch" else "onnxruntime",
        data=data,
        promise=promise_for(settings, data),
        workloads=decode(tuple[Workload, ...], facts["workloads"]),
        feeds=feeds,
        checks=tuple(Path(p) for p in facts["checks"]),
        folder=run.data,
        selection=data.encoded.get("selection", 0),
        confirmation=data.counts.get("confirmation", 0),
    )


def open_reference(reference: str, weights: str | None, folder: Path, workers: Workers) -> Model:
    """The model behind a reference, its payload under ``folder``. A state dict is converted in a worker first."""
    path = Path(weights).absolute() if weights else None
    if path is not None and not path.exists():
        raise DataNotFoundError(f"there is no weights file {weights}", "Check the path after --weights.")
    if path is not None and path.suffix.lower() in STATE_DICTS:
        out = workers.scratch / "weights.safetensors"
        path = Path(workers.job(jobs.convert_weights, OPEN_SECONDS, path=path, out=out).value)
    scratch = folder / "original"
    shutil.rmtree(scratch, ignore_errors=True)
    answer = workers.job(jobs.open_model, OPEN_SECONDS, reference=reference, weights=path, scratch=scratch)
    opened: Model = decode(Model, answer.value)
    return opened


def sets_of(settings: Settings) -> dict[str, str]:
    """The data that was named, by set. Raises ``DataNotFoundError`` for a path at which nothing lies."""
    named = {
        "data": settings.data,
        "calibration": settings.calibration,
        "selection": settings.selection,
        "confirmation": settings.confirmation,
    }
    return {name: found(path, name) for name, path in named.items() if path}


def promise_for(settings: Settings, data: DataFacts) -> Promise:
    """The promise asked for, or the one that this data can carry. Raises ``UsageError`` where they do not fit."""
    if data.none:
        if settings.max_drop or settings.agree:
            asked = "--max-drop" if settings.max_drop else "--agree"
            raise UsageError(
                f"{asked} needs data", "Name samples with --data; without data only lossless engines compete."
            )
        return Promise("equal", 0.0, "outputs equal", 0.05)
    if settings.agree:
        return parse_promise(agree=settings.agree)
    if not data.labelled:
        if settings.max_drop:
            raise UsageError(
                "the data has no labels, so --max-drop cannot be shown",
                "Use --agree 99% (so many answers stay the same), or give labels.",
            )
        return replace(parse_promise(agree="99%"), stated="agree 99% (the data has no labels)")
    return parse_promise(max_drop=settings.max_drop or "1pt")


def _check_batch(model: Model, batch: int) -> None:
    for spec in model.signature.inputs:
        if spec.shape and isinstance(spec.shape[0], int) and spec.shape[0] != batch:
            raise InputMismatchError(
                f"the model takes batches of {spec.shape[0]}, --batch is {batch}", f"Use --batch {spec.shape[0]}."
            )
