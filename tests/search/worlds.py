"""A small world to search in: passes and engines that need no library, and outcomes made from a table."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from speedwell.core import (
    AccuracyClaim,
    AccuracyVerdict,
    Candidate,
    Evidence,
    Failure,
    FailureKind,
    Form,
    Interval,
    Kind,
    Outcome,
    Promise,
    SpeedClaim,
    SpeedVerdict,
    Step,
    Timing,
    Workload,
)
from speedwell.search import (
    Comparison,
    EngineOffer,
    Estimates,
    Judgement,
    PassOffer,
    Proposal,
    Space,
    judge_all,
    propose,
    ratio,
)

WORKLOAD = Workload(1, 2, {"x": (1, 4)})
PROMISE = Promise("accuracy", 0.01, "1pt")
FLOAT = frozenset({"float"})


def kind(form: Form, needs: str = "", forbids: str = "") -> Kind:
    return Kind(form, frozenset(needs.split()), frozenset(forbids.split()))


TO_ONNX = PassOffer("to_onnx", kind("torch"), kind("onnx"), True, (Step("to_onnx"),))
FUSE = PassOffer("fuse", kind("onnx", "float", "fused"), kind("onnx", "fused"), True, (Step("fuse"),))
STATIC = PassOffer(
    "quantize_static",
    kind("onnx", "float"),
    kind("onnx", "static-int8", "float"),
    False,
    tuple(Step("quantize_static", {"method": m}) for m in ("minmax", "percentile", "mse")),
    "keep_float",
    32,
)
OWN = replace(
    STATIC,
    choices=(
        *(Step("quantize_static", p) for p in ({"method": "mse"}, {"narrow": 1}, {"narrow": 2})),
        *STATIC.choices[:1],
    ),
    engine_settings={"narrow": "openvino"},
)
"""The same with a setting that changes the speed on one engine alone."""
DYNAMIC = PassOffer(
    "quantize_dynamic", kind("onnx", "float"), kind("onnx", "dynamic-int8", "float"), False, (Step("quantize_dynamic"),)
)
HALF = PassOffer("half", kind("torch", "float"), kind("torch", "bf16", "float"), False, (Step("half"),))
PASSES = (TO_ONNX, FUSE, STATIC, DYNAMIC, HALF)


def reads(form: Form) -> object:
    return lambda have, traits: "" if have == form else f"reads the {form} form"  # noqa: ARG005


ENGINES = (
    EngineOffer("eager", reads("torch")),  # type: ignore[arg-type]
    EngineOffer("inductor", reads("torch")),  # type: ignore[arg-type]
    EngineOffer("onnxruntime", reads("onnx")),  # type: ignore[arg-type]
    EngineOffer("openvino", reads("onnx")),  # type: ignore[arg-type]
)
TORCH = Space("torch", FLOAT, "eager", PASSES, ENGINES)
ONNX = Space("onnx", FLOAT, "onnxruntime", PASSES, ENGINES)


def outcome(
    candidate: Candidate,
    speed: float = 1.0,
    metric: float = 0.9,
    seconds: float = 10.0,
    number: int = 0,
    failure: Failure | None = None,
    lossless: bool = False,
    artifact: str = "",
) -> Outcome:
    if failure is not None:
        return Outcome(candidate, failure=failure, seconds=seconds, number=number)
    right = np.zeros(1000)
    right[: round(1000 * metric)] = 1
    return Outcome(
        candidate,
        timings=(Timing(WORKLOAD, ((0.01 * speed,) * 3,), ((0.01,) * 3,)),),
        evidence=Evidence("binary", right, np.arange(1000)),
        metric=metric,
        seconds=seconds,
        build_seconds=seconds / 5,
        number=number,
        lossless=lossless,
        artifact=artifact,
    )


def compare(other: Outcome, original: Outcome) -> Comparison:
    """Plain rules in place of the statistics: half the margin is shown, the whole is plausible; 2 % is faster."""
    assert other.metric is not None
    assert original.metric is not None
    drop, speed = original.metric - other.metric, ratio(other) or 0.0
    verdict = (
        AccuracyVerdict.KEPT
        if drop <= PROMISE.margin / 2
        else AccuracyVerdict.UNDECIDED
        if drop <= 2 * PROMISE.margin
        else AccuracyVerdict.LOST
    )
    accuracy = AccuracyClaim(
        verdict, original.metric, other.metric, -drop - 0.004, PROMISE.margin, 1000, "tango", need=2000
    )
    faster = SpeedVerdict.FASTER if speed > 1.02 else SpeedVerdict.SLOWER if speed < 0.98 else SpeedVerdict.UNDECIDED
    interval = Interval(speed, speed * 0.98, speed * 1.02)
    return Comparison(accuracy, (SpeedClaim(faster, interval, "original", WORKLOAD, 3, 0.01, 0.01 / speed),))


class World:
    """What each candidate would measure: fixed, made from its own hash and a seed, so that it can be replayed."""

    def __init__(self, space: Space, seed: int = 0, failing: float = 0.0) -> None:
        self.space = space
        self.seed = seed
        self.failing = failing

    def run(self, candidate: Candidate, number: int) -> Outcome:
        if candidate == self.space.original:
            return outcome(candidate, number=number, seconds=8.0, lossless=True)
        if self._draw(candidate.key, "fails") < self.failing:
            kinds = tuple(FailureKind)
            chosen = kinds[int(self._draw(candidate.key, "kind") * len(kinds))]
            stage = "build" if self._draw(candidate.key, "stage") < 0.3 else "compile"
            return outcome(candidate, failure=Failure(chosen, stage, "planted"), number=number)
        lossy = self.space.lossy_steps(candidate)
        base = 0.9 + 0.4 * self._draw(candidate.engine)
        if not lossy:
            return outcome(candidate, base, number=number, lossless=True)
        kept = self.space.repair_of(candidate) or 0
        names = "".join(s.name for s in lossy)
        full = 0.9 + 1.5 * self._draw(names, candidate.engine)
        speed = base * max(1.0, full * 0.97**kept) if full > 1 else base * full
        bare = self.space.with_repair(candidate, 0) if kept else candidate
        drop = 0.05 * self._draw("".join(s.label for s in self.space.lossy_steps(bare))) * 0.8**kept
        seconds = 5 + 10 * self._draw(candidate.key, "seconds")
        return outcome(candidate, speed, 0.9 - drop, seconds=seconds, number=number)

    def _draw(self, *words: str) -> float:
        digest = hashlib.sha256("|".join((str(self.seed), *words)).encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48


ESTIMATES = Estimates(trial_seconds=8.0)


def judgements_of(space: Space, outcomes: list[Outcome]) -> dict[str, Judgement]:
    original = next((o for o in outcomes if o.candidate == space.original), None)
    return judge_all(outcomes, original, PROMISE, compare) if original else {}


def next_of(space: Space, outcomes: list[Outcome], left: float = 600.0) -> Proposal | None:
    return propose(space, outcomes, judgements_of(space, outcomes), left, ESTIMATES)


def lossless_start(float32: float = 1.1) -> list[Outcome]:
    """An ONNX original; both engines measured with fuse."""
    fuse = (Step("fuse"),)
    return [
        outcome(ONNX.original, lossless=True, number=0),
        outcome(Candidate(fuse, "onnxruntime"), float32, lossless=True, number=1),
        outcome(Candidate(fuse, "openvino"), float32, lossless=True, number=2),
        outcome(Candidate((), "openvino"), float32, lossless=True, number=3),
        outcome(Candidate((*fuse, Step("quantize_dynamic")), "onnxruntime"), 0.7, number=4),
        outcome(Candidate((*fuse, Step("quantize_dynamic")), "openvino"), 0.7, number=5),
    ]


def static(method: str, engine: str, keep: int = 0) -> Candidate:
    params = {"method": method} | ({"keep_float": keep} if keep else {})
    return Candidate((Step("fuse"), Step("quantize_static", params)), engine)
