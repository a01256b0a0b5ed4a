from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import ONNX, PROMISE, TORCH, World, compare, outcome

from speedwell.core import (
    AccuracyClaim,
    AccuracyVerdict,
    Candidate,
    Failure,
    FailureKind,
    Interval,
    Outcome,
    Promise,
    SpeedClaim,
    SpeedVerdict,
    Step,
    Workload,
)
from speedwell.search import Comparison, finalists, front, judge, judge_all, refusals

ORIGINAL = outcome(ONNX.original, lossless=True)


def other(name: str, speed: float, metric: float = 0.9, number: int = 1, **more: object) -> Outcome:
    return outcome(Candidate((Step(name),), "onnxruntime"), speed, metric, number=number, **more)  # type: ignore[arg-type]


def status(one: Outcome) -> tuple[str, str]:
    judged = judge(one, ORIGINAL, PROMISE, compare)
    return judged.status, judged.words


@pytest.mark.parametrize(
    ("one", "expected", "words"),
    [
        (ORIGINAL, "original", ""),
        (other("a", 2.0, 0.899), "competes", ""),
        (other("a", 2.0, 0.878), "lost accuracy", "lost: 2.2 points below, promise 1.0"),
        (other("a", 0.9), "slower", "slower: 0.90x [0.88, 0.92]"),
        (other("a", 1.01), "undecided", "undecided: 1.01x [0.99, 1.03], not shown to be faster"),
        (
            other("a", 2.0, 0.892),
            "undecided",
            "undecided: 0.8 points below, 1,000 samples do not show it within the promise, about 2,000 would decide",
        ),
        (
            other("a", 1.0, failure=Failure(FailureKind.TIMEOUT, "compile", "over 60 s")),
            "failed",
            "failed: timeout (compile): over 60 s",
        ),
    ],
)
def test_every_status_has_its_words(one: Outcome, expected: str, words: str) -> None:
    assert status(one) == (expected, words)


def test_an_estimate_beyond_the_margin_is_lost_even_where_the_test_is_undecided() -> None:
    judged = judge(other("a", 2.0, 0.885), ORIGINAL, PROMISE, compare)
    assert (judged.status, judged.accuracy, judged.plausible) == ("lost accuracy", "lost", False)


def test_agreement_speaks_of_answers() -> None:
    def agreement(one: Outcome, original: Outcome) -> Comparison:
        assert original is ORIGINAL
        claim = AccuracyClaim(AccuracyVerdict.LOST, 1.0, 0.969, -0.04, 0.01, 2000, "clopper-pearson")
        return Comparison(claim, compare(one, original).speed)

    words = judge(other("a", 2.0), ORIGINAL, Promise("agreement", 0.01, "agree 99%"), agreement).words
    assert words == "lost: 3.1 % of the answers differ, promise 1.0 %"


def test_slower_on_one_of_several_workloads_is_slower_and_says_where() -> None:
    long = Workload(1, 2, {"x": (1, 9)}, name="95th-percentile length")

    def two(one: Outcome, original: Outcome) -> Comparison:
        first = compare(one, original)
        slow = SpeedClaim(SpeedVerdict.SLOWER, Interval(0.8, 0.7, 0.9), "original", long, 3, 0.01, 0.0125)
        return Comparison(first.accuracy, (*first.speed, slow))

    judged = judge(other("a", 2.0), ORIGINAL, PROMISE, two)
    assert judged.words == "slower: 0.80x [0.70, 0.90] at batch 1, 2 threads, 95th-percentile length"


def test_without_data_only_what_is_lossless_competes() -> None:
    def no_data(one: Outcome, original: Outcome) -> Comparison:
        return Comparison(None, compare(one, original).speed)

    equal = Promise("equal", 0.0, "equal")
    assert judge(other("a", 2.0, lossless=True), ORIGINAL, equal, no_data).status == "competes"
    assert judge(other("a", 2.0), ORIGINAL, equal, no_data).status == "undecided"


def test_dominated_names_what_is_better() -> None:
    outcomes = [ORIGINAL, other("fast", 2.0), other("slow", 1.5), other("exact", 1.4, 0.95)]
    judged = judge_all(outcomes, ORIGINAL, PROMISE, compare)
    slow = judged[outcomes[2].candidate.key]
    assert slow.status == "dominated"
    assert slow.words == "dominated: fast on onnxruntime is faster (2.00x against 1.50x) and no less accurate"
    assert judged[outcomes[3].candidate.key].status == "competes", "it is more accurate"


def pick(outcomes: list[Outcome], k: int = 5) -> list[str]:
    return [o.candidate.label for o in finalists(outcomes, judge_all(outcomes, ORIGINAL, PROMISE, compare), k)]


def test_finalists_are_the_fastest_plausible_ones_with_the_fastest_lossless_one() -> None:
    outcomes = [
        ORIGINAL,
        other("lost", 5.0, 0.8),
        other("thin", 4.0, 0.892),
        *(other(f"int8-{i}", 3.0 - i / 10, 0.899, number=i) for i in range(6)),
        other("fused", 1.2, lossless=True),
        other("plain", 1.1, lossless=True),
        other("slow", 0.8, lossless=True),
    ]
    names = [n.removesuffix(" on onnxruntime") for n in pick(outcomes)]
    assert names == ["int8-0", "int8-1", "int8-2", "int8-3", "fused"]
    assert pick(outcomes, 1) == ["fused on onnxruntime"]


def test_a_thin_candidate_is_a_finalist_where_there_is_room() -> None:
    assert pick([ORIGINAL, other("thin", 4.0, 0.892), other("safe", 2.0)]) == [
        "thin on onnxruntime",
        "safe on onnxruntime",
    ]


def test_one_file_on_one_engine_takes_one_place() -> None:
    assert pick([ORIGINAL, other("a", 2.0, artifact="same"), other("b", 2.1, artifact="same")]) == ["b on onnxruntime"]


def test_where_nothing_is_faster_there_is_no_finalist() -> None:
    assert pick([ORIGINAL, other("slow", 0.9, lossless=True), other("lost", 3.0, 0.5)]) == []


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_finalists_and_front_keep_their_promises_in_any_world(seed: int, k: int) -> None:
    world = World(TORCH, seed, 0.2)
    outcomes = [world.run(c, i) for i, c in enumerate(TORCH.candidates)]
    judged = judge_all(outcomes, outcomes[0], PROMISE, compare)
    chosen = finalists(outcomes, judged, k)
    speeds = [judged[o.candidate.key].ratio or 0.0 for o in chosen]
    assert len(chosen) <= k
    assert speeds == sorted(speeds, reverse=True)
    assert all(judged[o.candidate.key].plausible and judged[o.candidate.key].status != "slower" for o in chosen)
    lossless = [
        j for o in outcomes if o.lossless and (j := judged[o.candidate.key]).status in ("competes", "dominated")
    ]
    assert not lossless or any(o.lossless for o in chosen)
    best = front(outcomes, outcomes[0])
    points = [(1.0 if o is outcomes[0] else judged[o.candidate.key].ratio or 0.0, o.metric or 0.0) for o in best]
    assert all(a[0] >= b[0] and a[1] < b[1] for a, b in itertools.pairwise(points))
    everything = {o.candidate.key for o in outcomes}
    told = {r.candidate.key for r in refusals(outcomes, judged)}
    silent = {key for key, j in judged.items() if j.status in ("original", "competes")}
    assert told | silent == everything
    assert all(r.reason for r in refusals(outcomes, judged))


def test_the_original_is_on_the_front_where_nothing_beats_it() -> None:
    untimed = replace(ORIGINAL, timings=())
    assert [o.candidate for o in front([untimed, other("slow", 0.9, 0.8)], untimed)] == [ONNX.original]


def test_average_precision_that_wavers_on_few_images_is_not_lost_by_its_estimate() -> None:
    """1.5 points below with a bound at 3.5: within one standard error of a margin of 1 point, so still thin."""

    def compared(lower: float, test: str) -> Comparison:
        claim = AccuracyClaim(AccuracyVerdict.UNDECIDED, 0.6, 0.585, lower, 0.01, 256, test)
        return Comparison(claim, compare(other("a", 2.0), ORIGINAL).speed)

    images = "paired bootstrap over images of AP, 2,000 resamples"
    promise = Promise("accuracy", 0.01, "1pt")
    wide = judge(other("a", 2.0), ORIGINAL, promise, lambda *_: compared(-0.035, images))
    narrow = judge(other("a", 2.0), ORIGINAL, promise, lambda *_: compared(-0.016, images))
    own = judge(other("a", 2.0), ORIGINAL, promise, lambda *_: compared(-0.035, "paired bootstrap, 2,000 resamples"))
    assert (wide.accuracy, narrow.accuracy, own.accuracy) == ("thin", "lost", "lost")
