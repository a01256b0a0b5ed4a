from typing import Any

import numpy as np
import small_world as w

from speedwell.core import Outcome, decode
from speedwell.search import Ledger
from speedwell.workflow.confirming import FINALISTS, expected_cost, scores_path
from speedwell.workflow.prepared import Prepared


def test_finalists_are_in_the_ledger_before_the_split_is_opened(live_run: Any) -> None:
    entries = Ledger.open(live_run.run).entries
    assert [e.kind for e in entries] == ["finalists", "opening", "closing"]
    declared = entries[0]
    assert 1 <= len(declared.finalists) <= FINALISTS
    confirmed = [c.candidate.key for c in live_run.result.confirmations]
    assert [c.key for c in declared.finalists] == confirmed
    assert declared.body["n"] == live_run.result.confirmations[0].accuracy.n
    assert entries[1].body["alpha"] == 0.05
    assert set(entries[2].body["facts"]) == set(confirmed)


def test_the_winner_was_timed_in_as_many_process_pairs_as_asked(live_run: Any) -> None:
    won = next(c for c in live_run.result.confirmations if c.certified)
    assert {s.pairs for s in won.speed} == {w.QUICK["rounds"]}
    assert {s.baseline for s in won.speed} == {"original"}
    assert live_run.result.a_a, "the control ran in the same rounds"


def test_the_answers_on_the_confirmation_split_are_kept_in_the_run(live_run: Any) -> None:
    with np.load(scores_path(live_run.run)) as arrays:
        n = len(arrays["original_answers"])
        assert len(arrays["winner_answers"]) == n == live_run.result.splits["confirmed"]
        claim = live_run.result.confirmations[0].accuracy
        assert arrays["winner_scores"].mean() == claim.candidate
        assert arrays["original_scores"].mean() == claim.original


def test_more_rounds_cost_more(live_run: Any) -> None:
    prepared = decode(Prepared, w.as_json(live_run.run / "run.json")["prepared"])
    trials = [decode(Outcome, t) for t in w.as_json(live_run.run / "trials.json")["trials"]]
    cost = expected_cost(prepared, trials[0], trials)
    from dataclasses import replace

    longer = replace(prepared, settings=replace(prepared.settings, rounds=40))
    assert 0 < cost < expected_cost(longer, trials[0], trials)
