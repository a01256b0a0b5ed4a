"""Run folders as a run leaves them, made from core's own records."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from speedwell.core import (
    AccuracyClaim,
    AccuracyVerdict,
    Candidate,
    Confirmation,
    Evidence,
    Failure,
    FailureKind,
    Hardware,
    Interval,
    OperatorTime,
    Outcome,
    Promise,
    Refusal,
    Result,
    SpeedClaim,
    SpeedVerdict,
    Step,
    StepEffect,
    Timing,
    Workload,
    dumps,
    encode,
)

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">\x1b[31m"
CLASSES = [
    f"{verb} {noun}"
    for verb in ("pay", "freeze", "order", "report", "change")
    for noun in ("card", "bill", "pin", "account", "loan", "alarm", "playlist", "flight", "insurance", "rollover")
]
WORKLOAD = Workload(1, 2, {"input_ids": (1, 9)}, "median length")
HARDWARE = Hardware(
    cpu="AMD EPYC 7763 64-Core Processor", architecture="x86_64", cores=2, memory_bytes=24 * 2**30,
    flags=("avx2", "fma", "f16c"), governor="unknown", system="Linux 6.1", python="3.11.9",
    versions={"speedwell": "0.1.0", "torch": "2.13.0", "onnxruntime": "1.32.0", "openvino": "2026.4.0"},
)  # fmt: skip
EXPORT, FUSE = Step("to_onnx"), Step("fuse")
ORIGINAL = Candidate((), "eager")
DYNAMIC = Candidate((EXPORT, FUSE, Step("quantize_dynamic")), "onnxruntime")
PROMISE = Promise("accuracy", 0.01, "1%")
N = 800


def evidence(rng: np.random.Generator, base: Evidence | None = None, lost: float = 0.0, won: float = 0.0) -> Evidence:
    """Answers over 50 classes; from ``base``, shares ``lost`` and ``won`` of the samples change."""
    if base is None:
        truth = rng.integers(0, 50, N)
        right = rng.random(N) < 0.953
        return Evidence("binary", right.astype(float), np.where(right, truth, (truth + 7) % 50))
    scores, answers = base.scores.copy(), base.answers.copy()
    right, wrong = np.flatnonzero(scores > 0.5), np.flatnonzero(scores < 0.5)
    down = rng.choice(right, round(lost * N), replace=False)
    up = rng.choice(wrong, min(len(wrong), round(won * N)), replace=False)
    answers[down] = (answers[down] + 1) % 50
    answers[up] = (answers[up] - 7) % 50
    scores[down], scores[up] = 0.0, 1.0
    return Evidence("binary", scores, answers)


def timing(rng: np.random.Generator, base_ms: float, ms: float, pairs: int = 3, calls: int = 20) -> Timing:
    def draw(centre: float) -> tuple[tuple[float, ...], ...]:
        pair_effects = centre * np.exp(rng.normal(0, 0.015, pairs))
        noise = np.exp(rng.gamma(1.2, 0.02, (pairs, calls)))
        return tuple(tuple(float(c) * 1e-3 for c in row) for row in pair_effects[:, None] * noise)

    return Timing(WORKLOAD, draw(base_ms), draw(ms))


def outcome(
    number: int, candidate: Candidate, ms: float | None, proof: Evidence | None, size: int, **more: object
) -> Outcome:
    rng = np.random.default_rng(1000 + number)
    return Outcome(
        candidate=candidate, number=number, evidence=proof, size_bytes=size, memory_bytes=300_000_000,
        timings=(timing(rng, 26.8, ms),) if ms is not None else (), build_seconds=4.2, seconds=20.0,
        metric=float(np.mean(proof.scores)) if proof is not None and len(proof.scores) else None, **more,
    )  # fmt: skip


def claim(
    verdict: SpeedVerdict, ratio: float, ms: float, baseline: str = "original", spread: float = 0.012
) -> SpeedClaim:
    rng = np.random.default_rng(7)
    both = timing(rng, ms * ratio, ms, pairs=12)
    return SpeedClaim(
        verdict, Interval(ratio, ratio * (1 - spread), ratio * (1 + spread)), baseline, WORKLOAD, 12, ms * ratio / 1e3,
        ms / 1e3, samples=tuple(zip(both.baseline, both.candidate, strict=True)),
    )  # fmt: skip


def typical_trials() -> list[Outcome]:
    rng = np.random.default_rng(0)
    base = evidence(rng)
    static = Step("quantize_static", {"method": "mse"})
    fp32, dyn, stat = 90_900_000, 24_100_000, 23_600_000
    made = [
        outcome(0, ORIGINAL, None, base, fp32),
        outcome(1, Candidate((EXPORT,), "onnxruntime"), 22.1, base, fp32, lossless=True),
        outcome(2, Candidate((EXPORT,), "openvino"), 25.9, base, fp32, lossless=True),
        outcome(3, Candidate((EXPORT, FUSE), "onnxruntime"), 20.4, base, fp32, lossless=True),
        outcome(4, Candidate((EXPORT, FUSE), "openvino"), 24.2, base, fp32, lossless=True),
        outcome(5, Candidate((), "inductor"), 28.9, base, fp32, lossless=True),
        outcome(6, DYNAMIC, 7.9, evidence(rng, base, 0.006, 0.005), dyn,
                effects=(StepEffect("to_onnx", 6.1, fp32), StepEffect("fuse", 1.2, fp32, "31 nodes folded"),
                         StepEffect("quantize_dynamic", 2.4, dyn))),
        outcome(7, dataclasses.replace(DYNAMIC, engine="openvino"), 9.6, evidence(rng, base, 0.008, 0.006), dyn),
        outcome(8, Candidate((EXPORT, FUSE, static), "onnxruntime"), 27.0, evidence(rng, base, 0.029, 0.006), stat),
        outcome(9, Candidate((EXPORT, FUSE, static), "openvino"), 8.8, evidence(rng, base, 0.026, 0.005), stat),
        outcome(10, Candidate((EXPORT, FUSE, Step("quantize_static", {"method": "percentile"})), "openvino"), 8.7,
                evidence(rng, base, 0.41, 0.0), stat),
        outcome(11, Candidate((EXPORT, FUSE, Step("quantize_static", {"method": "mse", "keep_float": list("abcd")})),
                              "openvino"), 11.2, evidence(rng, base, 0.010, 0.006), stat + 4_000_000),
        outcome(12, Candidate((EXPORT, Step("half", {"precision": "bf16"})), "openvino"), 26.5,
                evidence(rng, base, 0.001, 0.001), fp32 // 2),
    ]  # fmt: skip
    stages = ("build", "compile", "check", "evaluate", "time")
    for i, kind in enumerate(FailureKind):
        failure = Failure(kind, stages[i % 5], f"planted {kind.value}: the worker said so", "Traceback ...")
        step = Step("quantize_static", {"method": "minmax", "case": i})
        made.append(outcome(13 + i, Candidate((EXPORT, step), "onnxruntime"), None, None, 0, failure=failure))
    return made


def typical_result(trials: list[Outcome]) -> Result:
    accuracy = AccuracyClaim(AccuracyVerdict.KEPT, 0.953111, 0.952222, -0.00561, 0.01, 4500, "Tango score", 21, 25)
    speed = (claim(SpeedVerdict.FASTER, 3.39, 7.9), claim(SpeedVerdict.FASTER, 2.58, 7.9, "fused, ONNX Runtime", 0.009))
    second = dataclasses.replace(DYNAMIC, engine="openvino")
    lost = AccuracyClaim(AccuracyVerdict.KEPT, 0.953111, 0.951, -0.0072, 0.01, 4500, "Tango score", 20, 30)
    third = trials[11].candidate
    unsure = AccuracyClaim(
        AccuracyVerdict.UNDECIDED, 0.953111, 0.9491, -0.0104, 0.01, 4500, "Tango score", 31, 49, 6800
    )
    return Result(
        run="20261124-112600", sentence="", promise=PROMISE, workloads=(WORKLOAD,), best=DYNAMIC,
        original=dataclasses.replace(trials[0], evidence=None),
        front=(DYNAMIC, Candidate((EXPORT, FUSE), "onnxruntime")),
        refused=(Refusal(trials[8].candidate, "2.3 points below the original, promise 1.0"),
                 Refusal(trials[9].candidate, "2.1 points below the original, promise 1.0"),
                 Refusal(trials[5].candidate, "slower than the original")),
        confirmations=(Confirmation(DYNAMIC, accuracy, speed, True),
                       Confirmation(second, lost, (claim(SpeedVerdict.FASTER, 2.79, 9.6),), True),
                       Confirmation(third, unsure, (claim(SpeedVerdict.FASTER, 2.41, 11.2),), False,
                                    "undecided: 4,500 samples cannot show 1 point")),
        splits={"calibration": 500, "selection": N, "confirmation": 4500},
        a_a=(SpeedClaim(SpeedVerdict.UNDECIDED, Interval(1.002, 0.996, 1.008), "original", WORKLOAD, 12, 0.03, 0.03),),
        hardware=HARDWARE, 
        environment={"not tried": {"float16": "this CPU has no float16 arithmetic"}, "notes": ["a note"],
                     "best_size_bytes": 24_100_000, "bundle": {
            "path": "bundle/", "signed": True, "key": "sha256:5be1c0de", "files": 6}},
        warnings=("3 texts of the confirmation split were also in the selection split; they were removed.",),
    )  # fmt: skip


def asked() -> dict:
    return {
        "command": "speedwell accelerate examples.minilm_clinc:build --data clinc/train.csv --confirmation "
                   "clinc/test.csv --max-drop 1% --budget 10m --out bundle/",
        "model": {"name": "BertForSequenceClassification", "reference": "examples.minilm_clinc:build",
                  "parameters": 22_713_216, "size_bytes": 90_900_000},
        "data": {"task": "text-classification", "classes": CLASSES}, "promise": encode(PROMISE),
        "workloads": [encode(WORKLOAD)], "hardware": encode(HARDWARE),
        "splits": {"calibration": 500, "selection": N, "confirmation": 4500},
        "preflight": {"tightest_margin_share": 0.007, "power_share": 0.8},
        "checked": ["splits are disjoint by content hash; 3 duplicates removed",
                    "every candidate's outputs against the original's on real inputs, in its own process",
                    "the model file was opened without running code from it"],
    }  # fmt: skip


def write_run(
    folder: Path, trials: list[Outcome], result: Result | None, about: dict | None = None, profile: bool = True
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(asked() if about is None else about))
    (folder / "trials.json").write_text(json.dumps({"schema": 1, "trials": [encode(t) for t in trials]}))
    if result is not None:
        (folder / "result.json").write_text(dumps(result))
        finalists = [encode(c.candidate) for c in result.confirmations]
        lines = [
            {"ordinal": 0, "kind": "finalists", "at": 1795519800.0, "previous": "0" * 64, "hash": "1" * 64,
             "body": {"finalists": finalists, "promise": encode(PROMISE), "test": "tango", "n": 4500}},
            {"ordinal": 1, "kind": "opening", "at": 1795519801.5, "previous": "1" * 64, "hash": "2" * 64,
             "body": {"opening": 1, "alpha": 0.05}},
            {"ordinal": 2, "kind": "closing", "at": 1795519980.0, "previous": "2" * 64, "hash": "3" * 64, "body": {}},
        ]  # fmt: skip
        (folder / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if profile:
        before = [("aten::addmm", 15.2, 74), ("aten::bmm", 3.4, 12), ("aten::gelu", 2.1, 6),
                  ("aten::layer_norm", 1.3, 13),
                  ("aten::softmax", 0.9, 6), ("aten::embedding", 0.2, 3)]  # fmt: skip
        after = [("MatMulInteger", 3.9, 37), ("DynamicQuantizeLinear", 0.8, 25), ("FusedMatMul", 0.9, 12),
                 ("SkipLayerNormalization", 0.5, 12), ("Gelu", 0.6, 6), ("Softmax", 0.3, 6), ("Cast", 0.2, 37),
                 ("Mul", 0.15, 40)]  # fmt: skip
        named = {"original": before, "winner": after}
        times = {k: [encode(OperatorTime(n, ms / 1e3, c)) for n, ms, c in v] for k, v in named.items()}
        (folder / "profile.json").write_text(json.dumps(times))
    return folder


def certified(folder: Path) -> Path:
    trials = typical_trials()
    return write_run(folder, trials, typical_result(trials))


def kept(folder: Path) -> Path:
    trials = typical_trials()[:9]
    result = typical_result(typical_trials())
    lost = AccuracyClaim(AccuracyVerdict.LOST, 0.953111, 0.9380, -0.0193, 0.01, 4500, "Tango score", 20, 88)
    tried = Confirmation(DYNAMIC, lost, (claim(SpeedVerdict.FASTER, 3.39, 7.9),), False,
                         "at worst 1.93 points lower, promise 1 point")  # fmt: skip
    return write_run(folder, trials, dataclasses.replace(result, best=None, confirmations=(tried,), warnings=()))


def nothing_faster(folder: Path) -> Path:
    trials = [t for t in typical_trials() if t.number in (0, 5, 8)]
    result = dataclasses.replace(
        typical_result(typical_trials()),
        best=None,
        confirmations=(),
        front=(),
        a_a=(),
        refused=(Refusal(trials[1].candidate, "0.93x the speed of the original"),),
    )
    return write_run(folder, trials, result, profile=False)


def undecided(folder: Path) -> Path:
    trials = typical_trials()[:9]
    result = typical_result(typical_trials())
    unsure = AccuracyClaim(AccuracyVerdict.UNDECIDED, 0.954, 0.952, -0.0161, 0.01, 500, "Tango score", 7, 8, 2000)
    tried = Confirmation(DYNAMIC, unsure, (claim(SpeedVerdict.FASTER, 3.39, 7.9),), False,
                         "undecided: 500 samples cannot show 1 point")  # fmt: skip
    return write_run(folder, trials, dataclasses.replace(result, best=None, confirmations=(tried,), warnings=()))


def interrupted(folder: Path) -> Path:
    return write_run(folder, typical_trials()[:9], None, profile=False)


def agreement(folder: Path) -> Path:
    """No labels: answers only, a promise of agreement."""
    bare = [
        dataclasses.replace(
            t, metric=None, evidence=dataclasses.replace(t.evidence, scores=np.zeros(0)) if t.evidence else None
        )
        for t in typical_trials()
    ]
    promise = Promise("agreement", 0.02, "agree 98%")
    claimed = AccuracyClaim(AccuracyVerdict.KEPT, 1.0, 0.9911, -0.0117, 0.02, 4500, "Clopper-Pearson")
    result = typical_result(bare)
    won = dataclasses.replace(result.confirmations[0], accuracy=claimed)
    return write_run(folder, bare, dataclasses.replace(result, promise=promise, confirmations=(won,)))


def many(folder: Path, count: int = 500) -> Path:
    trials = typical_trials()
    rng = np.random.default_rng(5)
    base = trials[0].evidence
    for i in range(len(trials), count):
        step = Step("quantize_static", {"method": ("mse", "minmax", "percentile", "entropy")[i % 4], "level": i})
        candidate = Candidate((EXPORT, FUSE, step), ("onnxruntime", "openvino")[i % 2])
        lost = float(rng.gamma(1.5, 0.015)) + 0.004
        trials.append(
            outcome(i, candidate, float(rng.uniform(8, 40)), evidence(rng, base, min(lost, 0.5), 0.004), 24_000_000)
        )
    return write_run(folder, trials, typical_result(trials))


def hostile(folder: Path) -> Path:
    trials = [
        dataclasses.replace(t, candidate=Candidate((*t.candidate.steps, Step(HOSTILE, {"x": HOSTILE})), HOSTILE))
        if t.number in (5, 13) else t
        for t in typical_trials()
    ]  # fmt: skip
    trials[14] = dataclasses.replace(trials[14], failure=Failure(FailureKind.CRASH, "build", HOSTILE, HOSTILE))
    result = dataclasses.replace(typical_result(typical_trials()), warnings=(HOSTILE,),
                                 front=(DYNAMIC, trials[5].candidate))  # fmt: skip
    about = {**asked(), "model": {"name": HOSTILE}, "command": HOSTILE, "data": {"classes": [HOSTILE] * 50},
             HOSTILE: HOSTILE, "checked": [HOSTILE]}  # fmt: skip
    return write_run(folder, trials, result, about)


KINDS: dict[str, Callable[[Path], Path]] = {
    f.__name__: f for f in (certified, kept, nothing_faster, undecided, interrupted, agreement, many, hostile)
}


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``run_folder("certified")``: a read-only sample run of that kind, made once."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = KINDS[kind](tmp_path_factory.mktemp(kind) / "run")
        return made[kind]

    return get


@pytest.fixture
def result() -> Result:
    """A certified result."""
    return typical_result(typical_trials())


@pytest.fixture
def trials() -> list[Outcome]:
    """The trials of the certified run: measured ones, then one of each failure."""
    return typical_trials()
