"""F2: our certified winner against nncf's accuracy control, on the same networks, data and promise.

Compared, on ResNet-20 with CIFAR-10 and MiniLM with CLINC150, on request EfficientNet-Lite0 with CIFAR-10 (where
../shared/data is missing: the demo's networks): the bundle that ``speedwell accelerate`` hands over, and what
``nncf.quantize_with_accuracy_control`` makes (max_drop 0.01 absolute; OpenVINO and ONNX backends; our calibration and
selection split as its calibration and validation data). Each product is judged on our confirmation split by the same
paired test, and timed in shared rounds of fresh processes, with the original on PyTorch eager and the peers' float32
forms. The ratio of a case is that of the fastest certified peer; a peer that fails, or whose promise is not shown,
keeps its row with a note.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from finished_run import FinishedRun, claim_words, middle
from interval import timed_ratio
from peer_environment import peer_environment
from product_case import ProductCase
from record import Record, parser
from speedwell.core import AccuracyClaim, Candidate, Model, Step
from speedwell.core.errors import SpeedwellError
from speedwell.inputs import EncodedSplit
from speedwell.measure import AGAIN, Remote, Rounds, judge
from speedwell.workflow.open import unpack

PACKAGES = ("nncf", "openvino", "onnx", "onnxruntime", "numpy")
FLOOR = 2.0
OURS, EAGER = "speedwell", "original (eager)"
BACKENDS = {"openvino": "product.xml", "onnx": "product.onnx"}
RUNS_ON = {"openvino": "openvino", "onnx": "onnxruntime"}
MAX_DROP = 0.01


@dataclass
class Contest:
    """What takes part in one case. ``failed``: name to reason."""

    models: dict[str, tuple[Model, str]] = field(default_factory=dict)
    lossless: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    made_in: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--here", action="store_true", help="use nncf of the current environment")
    made.add_argument("--cases", default="images,text", help="of images, text, efficientnet (--quick: images)")
    made.add_argument("--budget", default="10m", help="of our run (default 10m; --quick: 150s)")
    made.add_argument("--peer-limit", type=float, default=1800.0, help="seconds for each peer (--quick: 120)")
    arguments = made.parse_args()
    quick = arguments.quick
    cases = [ProductCase(what) for what in (["images"] if quick else arguments.cases.split(","))]
    record = Record("product", [c.name for c in cases], quick)
    limit = 120.0 if quick else arguments.peer_limit
    with peer_environment(PACKAGES, arguments.here) as python:
        for case in cases:
            with tempfile.TemporaryDirectory(prefix="speedwell-product-") as name:
                one_case(case, Path(name), record, python, "150s" if quick else arguments.budget, limit, quick)
    record.finish(arguments.json)


def one_case(
    case: ProductCase, folder: Path, record: Record, python: str, budget: str, limit: float, quick: bool
) -> None:
    """Our run, the peers' products, the judgement of each, the shared rounds."""
    contest = Contest()
    began = time.monotonic()
    try:
        accelerate(case, folder, budget, quick)
    except subprocess.CalledProcessError as error:
        record.row(case.name, "ms", None, note=f"speedwell accelerate ended with {error.returncode}")
        return
    contest.made_in[OURS] = time.monotonic() - began
    run = FinishedRun(folder / "run", folder / "scratch")
    contest.models[EAGER] = (run.prepared.model, run.prepared.engine)
    contest.lossless.add(EAGER)
    contest.models[OURS] = ours(run, folder)
    peers(run, folder, contest, python, limit, quick)
    run.bench.close()
    claims = judged(run, contest)
    taken = timed(run, contest, quick)
    for name, failure in taken.failures.items():
        contest.failed.setdefault(name.removesuffix(AGAIN), f"failed while timed: {failure.message}")
    rows(case, record, run, contest, claims, taken)
    record.versions |= {f"peer {k}": v for k, v in contest.facts.get("versions", {}).items()}
    record.samples[case.name] = {
        "rounds": [[dict(w) for w in r] for r in taken.rounds],
        "accuracy": {n: {"verdict": c.verdict.value, "candidate": c.candidate, "lower": c.lower, "n12": c.n12,
                         "n21": c.n21, "n": c.n} for n, c in claims.items()},
        "made_in_seconds": contest.made_in, "failed": contest.failed,
    }  # fmt: skip


def accelerate(case: ProductCase, folder: Path, budget: str, quick: bool) -> None:
    """``speedwell accelerate`` as a user runs it."""
    (folder / "made").mkdir()
    command = [sys.executable, "-m", "speedwell", "accelerate", *case.arguments(folder / "made"), "--budget", budget]
    command += ["--run", str(folder / "run"), "--out", str(folder / "bundle"), "--quiet"]
    subprocess.run(command + (["--rounds", "4", "--calls", "5"] if quick else []), check=True)


def ours(run: FinishedRun, folder: Path) -> tuple[Model, str]:
    """The winner, opened from its bundle; the original where the answer is to keep it."""
    if run.result.best is None:
        return run.prepared.model, run.prepared.engine
    (folder / "unpacked").mkdir()
    unpacked, _ = unpack(folder / "bundle", folder / "unpacked", None, False, [str(Path.cwd())])
    return unpacked.model, unpacked.manifest.candidate.engine


def peers(run: FinishedRun, folder: Path, contest: Contest, python: str, limit: float, quick: bool) -> None:
    """The float32 forms that the peer falls back on, and nncf's two products."""
    p = run.prepared
    steps = (Step("to_onnx"),) if p.model.form == "torch" else ()
    exported = run.bench.build(Candidate(steps, "onnxruntime")).model
    for engine in RUNS_ON.values():  # what a user of the peer has left where its product loses too much
        name = f"float32 on {engine}"
        contest.models[name] = (exported, engine)
        contest.lossless.add(name)
    sets = {name: write_samples(p.folder / name, folder / f"{name}.npz", 300 if quick else 0)
            for name in ("calibration", "selection")}  # fmt: skip
    kind = ["transformer"] if p.data.kind == "text" else []
    for backend, file in BACKENDS.items():
        name, out = f"nncf ({backend})", folder / f"nncf-{backend}"
        script = Path(__file__).with_name("nncf_peer.py")
        command = [python, str(script), backend, str(exported.payload), str(sets["calibration"]),
                   str(sets["selection"]), str(out), str(MAX_DROP), *kind]  # fmt: skip
        print(f"{name}: quantize_with_accuracy_control", flush=True)
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
        except subprocess.TimeoutExpired:
            contest.failed[name] = f"not done after {limit:g} s"
            continue
        if done.returncode:
            contest.failed[name] = (done.stderr.strip().splitlines() or ["no word"])[-1][:160]
            continue
        facts = json.loads((out / "facts.json").read_text())
        contest.facts["versions"], contest.made_in[name] = facts["versions"], facts["seconds"]
        product = Model.of("onnx", out / file, exported.signature, exported.origin, {"static-int8"})
        contest.models[name] = (product, RUNS_ON[backend])


def write_samples(split: Path, path: Path, most: int) -> Path:
    """An encoded split as ready inputs for the peer, all of it where ``most`` is 0."""
    data = EncodedSplit.open(split)
    n = min(len(data), most) if most else len(data)
    arrays: dict[str, np.ndarray] = {"targets": np.asarray(data.targets[:n])}
    for i in range(n):
        arrays |= {f"{i}/{name}": array for name, array in data.batch([i]).items()}
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def judged(run: FinishedRun, contest: Contest) -> dict[str, AccuracyClaim]:
    """Each product that may have lost accuracy against the original, on what our run opened of the confirmation."""
    claims: dict[str, AccuracyClaim] = {}
    base = run.confirmation(*contest.models[EAGER])
    for name, (model, engine) in list(contest.models.items()):
        if name in contest.lossless:
            continue
        try:
            claims[name] = judge(base, run.confirmation(model, engine), run.prepared.promise)
        except SpeedwellError as error:
            contest.failed[name] = f"cannot be run: {error.what}"[:160]
            del contest.models[name]
    return claims


def timed(run: FinishedRun, contest: Contest, quick: bool) -> Rounds:
    """All of them in shared rounds, ours twice (the control)."""
    openers = {name: opener(run, *made) for name, made in contest.models.items()}
    return run.rounds(openers, OURS, run.seconds(run.original), quick)


def opener(run: FinishedRun, model: Model, engine: str) -> Callable[[], Remote]:
    return lambda: run.session(model, engine)


def rows(
    case: ProductCase, record: Record, run: FinishedRun, contest: Contest, claims: Mapping[str, AccuracyClaim],
    taken: Rounds,
) -> None:  # fmt: skip
    """One row a peer; certified ones carry the ratio."""
    many = len(run.prepared.workloads)
    if control := timed_ratio(taken, OURS, OURS + AGAIN, many):
        record.control(*control[:3])
    ms = {n: 1e3 * middle(taken, n) for n in contest.models if n not in taken.failures}
    mine = claims.get(OURS)
    kept = run.result.best is None or (mine is not None and mine.verdict.holds)
    for name in [*contest.models, *contest.failed]:
        if name == OURS:
            continue
        found = timed_ratio(taken, name, OURS, many) if name in ms and OURS in ms else None
        claim, made = claims.get(name), contest.made_in.get(name)
        words = [f"made in {made:.0f} s"] if made else []
        if claim is not None:
            words.append(claim_words(claim))
        if name in contest.failed:
            record.row(case.name, "ms", ms.get(OURS), name, None, note=contest.failed[name])
            continue
        if found is None:
            record.row(case.name, "ms", ms.get(OURS), name, ms.get(name), note="not timed")
            continue
        ratio, low, high, n = found
        certified = kept and (name in contest.lossless or (claim is not None and claim.verdict.holds))
        if name == EAGER:
            record.row(
                f"{case.name}, over eager", "ms", ms[OURS], name, ms[name], ratio, low, high, n, our_words(run, mine)
            )
        elif certified:
            record.row(case.name, "ms", ms[OURS], name, ms[name], ratio, low, high, n, "; ".join(words))
        else:
            words.append(f"its promise is not shown, so no rival ({ratio:.2f}x [{low:.2f}, {high:.2f}])")
            record.row(case.name, "ms", ms[OURS], name, ms[name], n=n, note="; ".join(words))
    record.row(f"{case.name}, floor", "ratio", None, "floor F2", FLOOR, note="of the fastest certified peer above")


def our_words(run: FinishedRun, claim: AccuracyClaim | None) -> str:
    label = run.result.best.label if run.result.best else "keep the original"
    if claim is None:
        return label
    return f"{label}: {claim_words(claim)}"


if __name__ == "__main__":
    main()
