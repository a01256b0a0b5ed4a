"""``FinishedRun``: the folder of a run that ended, opened to measure more of it. The folder itself is only read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from speedwell.core import AccuracyClaim, Candidate, Evidence, Hardware, Model, Outcome, Result, decode, loads
from speedwell.measure import Remote, Rounds, run_rounds, with_control
from speedwell.search import Space, Store
from speedwell.workflow.data_job import encode_confirmation
from speedwell.workflow.offering import Offers, engine_offers
from speedwell.workflow.preparation import sets_of
from speedwell.workflow.prepared import Prepared
from speedwell.workflow.run_folder import RunFolder
from speedwell.workflow.trial import Bench, turns
from speedwell.workflow.workers import Workers

__all__ = ["FinishedRun", "claim_words", "middle"]

LIMIT_SECONDS = 600.0
SECONDS_A_ROUND = 1.0


class FinishedRun:
    """``scratch``: where products and logs go. ``result``, ``outcomes``, ``prepared``: what the run left.

    Raises ``ResumeError`` for a folder without a run, ``FileNotFoundError`` for one that did not end.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.run = RunFolder.open(folder)
        self.scratch = scratch
        facts = self.run.require("run.json")
        self.prepared: Prepared = decode(Prepared, facts["prepared"])
        self.result: Result = loads(Result, (self.run.path / "result.json").read_text())
        with Store.open(self.run.path) as store:
            self.outcomes: tuple[Outcome, ...] = store.outcomes()
        self.hardware = Hardware.here()
        self.workers = Workers(scratch / "workers", self.hardware, self.prepared.settings.threads)
        artifacts = scratch / "artifacts"
        artifacts.mkdir(parents=True)
        self.bench = Bench(self.prepared, self.workers, artifacts, LIMIT_SECONDS)
        self._offers: Offers = decode(Offers, facts["offers"])

    @property
    def original(self) -> Outcome:
        return next(o for o in self.outcomes if o.candidate.key == self.prepared.candidate.key)

    def space(self) -> Space:
        """The same space that the run searched."""
        p = self.prepared
        names = p.settings.engines
        names = (p.engine, *names) if names and p.engine not in names else names
        engines = engine_offers(names, self.hardware)
        return Space(p.model.form, p.model.traits, p.engine, self._offers.passes, engines, not p.lossless_only)

    def session(self, model: Model, engine: str) -> Remote:
        """A session of any model on any engine, with the run's inputs, in a process of its own."""
        return self.bench.open(model, engine)

    def opener(self, candidate: Candidate) -> Callable[[], Remote]:
        """Opens sessions of a candidate that is built once, now."""
        model = self.bench.build(candidate).model
        return lambda: self.session(model, candidate.engine)

    def rounds(self, openers: Mapping[str, Callable[[], Remote]], twice: str, slowest: float, quick: bool) -> Rounds:
        """All in shared rounds, ``twice`` again as the control, on every workload. ``slowest``: seconds of a call."""
        both = with_control(openers, twice) if twice in openers else openers
        calls = [max(5, min(20, int(SECONDS_A_ROUND / slowest)))] * len(self.prepared.workloads)
        block, settle = turns(slowest)
        told = 4 if quick else 12
        return run_rounds(
            both, told, calls, np.random.default_rng(0),
            lambda n: print(f"round {n} of {told}: {len(both)} sessions", flush=True), block=block, settle=settle,
        )  # fmt: skip

    def confirmation(self, model: Model, engine: str) -> Evidence:
        """A model's answers on the confirmation split: the part that the run's budget paid for."""
        split, batch = self._confirmation_split(), self.prepared.settings.batch
        with self.session(model, engine) as remote:
            reply = remote.call("evaluate", seconds=3600.0, split=split, start=0, stop=10**9, batch=batch)
        return Evidence(reply.value["kind"], reply.arrays["scores"], reply.arrays["answers"])

    def _confirmation_split(self) -> Path:
        """As the run opened it; encoded into ``scratch`` where it opened none (nothing was faster)."""
        p = self.prepared
        opened, folder = p.folder / "confirmation", self.scratch / "data"
        if (opened / "split.json").is_file():
            return opened
        if (folder / "confirmation" / "split.json").is_file():
            return folder / "confirmation"
        shutil.copytree(p.folder / "transform", folder / "transform")
        shutil.copyfile(p.folder / "splits.sha256", folder / "splits.sha256")
        self.workers.job(
            encode_confirmation, LIMIT_SECONDS,
            model=p.model, task=p.data.task, sets=sets_of(p.settings), options=dict(p.settings.options), folder=folder,
            seed=p.settings.seed, n=p.confirmation,
        )  # fmt: skip
        return folder / "confirmation"

    def seconds(self, outcome: Outcome) -> float:
        """Median seconds of a call on the first workload."""
        return float(np.median(outcome.timings[0].candidate[0]))


def middle(taken: Rounds, name: str) -> float:
    """Median seconds of a call on the first workload; 0 where there was none."""
    calls = [s for _, theirs in taken.pairs(name, name) for s in theirs]
    return float(np.median(calls)) if calls else 0.0


def claim_words(claim: AccuracyClaim) -> str:
    """What a judgement on the confirmation split says, for a row's note."""
    return f"{100 * claim.candidate:.2f} %, at worst {-100 * claim.lower:.2f} points lower: {claim.verdict.value}"
