"""``accelerate``: the main job, from a reference and data to a signed bundle and a report."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import DataError, JobError, ModelError, ResumeError, UsageError
from ..core.hardware import Hardware
from ..core.outcome import Outcome
from ..core.record import decode, encode
from ..core.result import Result
from ..measure.environment import FIXED
from ..report import NullProgress, Progress
from ..search import Budget, Ledger, Store, describe
from . import handover
from .accelerated import Accelerated
from .confirming import confirm
from .full_disk import full_disk
from .header import header_of
from .live import take_live
from .offering import check_names, engine_offers
from .preparation import prepare
from .prepared import Prepared
from .run_folder import RunFolder
from .searching import Search
from .settings import Settings
from .workers import Workers

__all__ = ["accelerate", "run_accelerate"]


def accelerate(
    model: Any,
    *,
    data: Any = None,
    calibration: Any = None,
    selection: Any = None,
    confirmation: Any = None,
    task: str | None = None,
    weights: str | Path | None = None,
    max_drop: str | float | None = None,
    agree: str | float | None = None,
    budget: str | float = "10m",
    batch: int = 1,
    threads: int = 0,
    out: str | Path | None = None,
    run: str | Path | None = None,
    engines: tuple[str, ...] = (),
    passes: tuple[str, ...] = (),
    seed: int = 0,
    rounds: int = 12,
    calls: int = 20,
    progress: Progress | None = None,
    **options: Any,
) -> Accelerated:
    """Find the fastest version of ``model`` that keeps the promise, prove it on this machine, and hand it over.

    ``model``: a reference as on the command line, or an ``nn.Module``. ``data`` and the splits given apart: a path, a
    Hugging Face dataset, a torch Dataset, or an iterable of (input, target). ``max_drop``: "1%", 0.01 (points) or
    "auto"; ``agree``: "99%" for unlabelled data. ``options``: preprocessing and readers (size, mean, std, tokenizer,
    text_column, ...). Raises a ``SpeedwellError``; an interrupt leaves the best so far in the bundle.
    """
    splits = {"data": data, "calibration": calibration, "selection": selection, "confirmation": confirmation}
    live = take_live(model, splits)
    settings = Settings(
        model=live.reference,
        **live.paths,
        weights=str(weights) if weights is not None else None,
        task=task,
        max_drop=None if max_drop is None else str(max_drop),
        agree=None if agree is None else str(agree),
        budget=str(budget),
        batch=batch,
        threads=threads,
        out=str(out) if out is not None else None,
        seed=seed,
        rounds=rounds,
        calls=calls,
        engines=tuple(engines),
        passes=tuple(passes),
        options=options,
    )
    done = run_accelerate(
        settings,
        progress or NullProgress(),
        run=Path(run) if run is not None else None,
        module=live.module,
        sets=live.sets,
    )
    if done is None:
        raise UsageError("nothing was run")
    return done


def run_accelerate(
    settings: Settings | None,
    progress: Progress,
    *,
    run: Path | None = None,
    resume: Path | None = None,
    budget: str | None = None,
    confirm_now: bool = False,
    dry_run: bool = False,
    show_samples: bool = False,
    module: Any = None,
    sets: Mapping[str, Any] | None = None,
) -> Accelerated | None:
    """The verb behind command line and Python. None for a dry run."""
    began = time.monotonic()
    hardware = Hardware.here()
    if resume is not None:
        folder, settings = _reopen(resume, budget, settings)
    elif settings is None:
        raise UsageError("no model is named", "speedwell accelerate model.onnx --data folder/   (or --resume RUN)")
    else:
        settings = settings.checked(hardware)
        check_names(settings.engines, settings.passes)
        limit = Budget.start(settings.budget)  # a budget that cannot be read is refused before anything is written
        limit.require(5.0, "opening the model and measuring the original")
        if settings.out:
            handover.check_out(Path(settings.out))
        folder = RunFolder.create(run)
        folder.update(
            schema=1, settings=encode(settings), command=shlex.join(["speedwell", *sys.argv[1:]]), created=time.time(),
            hardware=encode(hardware),
        )  # fmt: skip
    out = Path(settings.out) if settings.out else folder.best
    workers = Workers(folder.scratch, hardware, settings.threads)
    measured = 0
    try:
        prepared = _prepared(folder, settings, workers, module, sets)
        with Store.open(folder.path) as store:
            # after kill -9 nobody wrote down what was used: the finished trials know it at least
            used = 0.0 if resume is None else max(float(folder.require("run.json").get("used", 0.0)), store.seconds)
            clock = Budget.start(settings.budget, before=used + time.monotonic() - began)
            job = _Job(folder, out, workers, progress, show_samples, used, began)
            try:
                return job.go(prepared, store, clock, confirm_now, dry_run)
            finally:
                measured = len(store.outcomes())
    except (ModelError, DataError, UsageError, JobError) as error:
        resumed = f"speedwell accelerate --resume {folder.path}"
        if isinstance(error, JobError) and (full := full_disk(folder.path, "a worker", error.what, resumed)):
            raise full from error
        if measured <= 1 and resume is None:
            folder.remove()  # what was asked for cannot be done: a resumed run would end here again
        raise
    except BaseException:
        if not (folder.path / "store.sqlite").exists() and resume is None:
            folder.remove()  # nothing was measured: nothing to resume
        raise
    finally:
        if dry_run and resume is None:
            folder.remove()


class _Job:
    """One session of a run: search, confirm, hand over."""

    def __init__(
        self,
        folder: RunFolder,
        out: Path,
        workers: Workers,
        progress: Progress,
        show_samples: bool,
        used: float,
        began: float,
    ) -> None:
        self.folder = folder
        self.out = out
        self.workers = workers
        self.progress = progress
        self.show_samples = show_samples
        self.used = used
        self.began = began
        self.handed = False

    def go(
        self, prepared: Prepared, store: Store, clock: Budget, confirm_now: bool, dry_run: bool
    ) -> Accelerated | None:
        p = prepared
        offered = engine_offers(p.settings.engines, self.workers.hardware)
        self.progress.budget(clock.left(), clock.reserve)
        self.progress.header(header_of(p, self.workers.hardware, tuple(e.name for e in offered if not e.why_not)))
        for warning in p.data.warnings:
            self.progress.warning(warning)
        if p.data.bad:
            many = f"{len(p.data.bad)} samples cannot be read and are left out, such as"
            self.progress.warning(f"{many if len(p.data.bad) > 1 else 'left out:'} {p.data.bad[0]}")
        search = Search(self.folder, p, self.workers, store, clock, self.progress)
        search.on_best = lambda outcome: self._best(search, outcome)
        try:
            if dry_run:
                self._dry(search)
                return None
            if not confirm_now:
                search.go()
            else:
                search.measure_original()
                search.offer()
            search.bench.close()
            confirmed = confirm(search, Ledger.open(self.folder.path), self.progress)
            handover.write_scores(self.folder, confirmed, p.candidate)
            bundle = handover.hand_over_winner(search, confirmed, self.out)
            result = handover.write_result(
                self.folder, search, confirmed, self._facts(), (*p.data.warnings, *confirmed.warnings)
            )
            handover.write_profiles(self.folder, search, result.best)
            return self._end(result, bundle)
        except KeyboardInterrupt:
            handover.write_trials(self.folder, store.outcomes())
            self.folder.update(used=self.used + time.monotonic() - self.began)
            best = _shown(self.out) if self.handed else ""
            self.progress.interrupted(best, f"speedwell accelerate --resume {self.folder.path}")
            raise
        finally:
            search.bench.close()
            self.folder.tidy()

    def _end(self, result: Result, bundle: Path | None) -> Accelerated:
        from .differing import shown_samples

        samples = shown_samples(self.folder) if self.show_samples else None
        if bundle is None and self.handed and self.out != self.folder.best:
            # a best so far that was not certified is no result: it stays with the run, marked "not confirmed"
            shutil.rmtree(self.folder.best, ignore_errors=True)
            shutil.move(self.out, self.folder.best)
        report = handover.write_report_beside(self.folder, bundle, samples)
        paths: dict[str, str | Path] = {"report": report, "run": self.folder.path}
        if bundle is not None:
            paths["bundle"] = bundle
            paths["use"] = f'speedwell.open("{_shown(bundle)}")({_example(result)})'
        self.folder.update(used=self.used + time.monotonic() - self.began, ended=time.time())
        self.progress.done(result, paths)
        return Accelerated(result, self.folder.path, bundle, report)

    def _best(self, search: Search, outcome: Outcome) -> None:
        self.handed = handover.hand_over_best(search, outcome, self.out) is not None or self.handed

    def _dry(self, search: Search) -> None:
        search.measure_original()
        space = search.offer()
        for row in describe(space, search.estimates(), search.budget.for_search()):
            fits = "" if row.fits else "   (does not fit the budget)"
            cost = f"{row.expected_ratio:4.2f}x  {row.cost_seconds:4.0f} s" if row.cost_seconds else " " * 14
            self.progress.note(f"{row.rung:<9} {cost}  {row.what}: {row.why}{fits}")
        for note in search.notes:
            self.progress.note(note)
        self.folder.update(used=self.used + time.monotonic() - self.began)

    def _facts(self) -> dict[str, Any]:
        facts = self.folder.require("run.json")
        return {
            "command": facts.get("command", ""),
            "created": facts.get("created", 0.0),
            "python": sys.version.split()[0],
            "versions": dict(self.workers.hardware.versions),
            "worker_environment": dict(FIXED),
        }


def _reopen(resume: Path, budget: str | None, settings: Settings | None) -> tuple[RunFolder, Settings]:
    """The run to go on with. A budget that is named is the new total."""
    if settings is not None:
        raise UsageError(
            "a model and --resume were both given", "The run knows its model: speedwell accelerate --resume RUN"
        )
    folder = RunFolder.open(resume)
    saved = decode(Settings, folder.require("run.json")["settings"])
    if budget is not None:
        saved = replace(saved, budget=budget)
    folder.scratch.mkdir(mode=0o700, exist_ok=True)
    return folder, saved


def _prepared(
    folder: RunFolder, settings: Settings, workers: Workers, module: Any, sets: Mapping[str, Any] | None
) -> Prepared:
    """From ``run.json`` where the run was prepared before, else prepared now."""
    known = (folder.read("run.json") or {}).get("prepared")
    if known is not None:
        prepared: Prepared = decode(Prepared, known)
        return replace(prepared, settings=settings)
    live_model = None
    if module is not None:
        from ..sources import save_live

        live_model = save_live(module, folder.models / "original")
    elif settings.model == "live":
        raise ResumeError("this run's model was a live module", "Start it again from Python with the module.")
    prepared = prepare(folder, settings, workers, live_model, sets)
    folder.update(
        prepared=encode(prepared),
        model={
            "reference": prepared.model.origin.reference, "form": prepared.model.form,
            "size_bytes": prepared.model.size_bytes, "digest": prepared.model.digest,
        },
        data=encode(prepared.data),
        promise=encode(prepared.promise),
        workloads=encode(prepared.workloads),
    )  # fmt: skip
    return prepared


def _shown(path: Path) -> str:
    """Relative to here where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _example(result: Result) -> str:
    """What one may call the opened bundle with."""
    (first, *_) = result.workloads
    if first.name == "generated inputs":  # no preprocessing is known: tensors by name
        return "{" + ", ".join(f'"{name}": array' for name in first.shapes) + "}"
    if any("ids" in name for name in first.shapes):
        return '"a text"'
    return '"photo.jpg"' if any(len(shape) == 4 for shape in first.shapes.values()) else "array"
