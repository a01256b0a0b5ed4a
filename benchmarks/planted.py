"""F7: 200 planted models through the command line. How often is "kept" false, how often is a good model kept?

Compared: the verdicts of ``speedwell compare`` (each a process of its own, on its own sample of the population) with
the truth, which is exact: a planted model flips the answers of a known share of the population. 70 lie at the margin of
1 point, 30 at 1.5 points; 100 lose nothing, at sizes for which the pre-flight promised at least 80 % power. A further
24 go through ``speedwell accelerate``, where a plug-in pass plants the change.

Floors: "kept" at the margin in at most 5 %, and of the good models in at least 75 %. The two ratios are the share
rightly not kept over 95 %, and the share kept over 75 %.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from interval import share_interval
from planted_change import VARIABLE, write_network
from plugin_wheel import install
from population import Change, draw, plant
from record import Record, parser
from speedwell.measure import claim_power, look_ahead, needed_n

MARGIN = 0.01
FALSE_FLOOR, TRUE_FLOOR, PROMISED = 0.05, 0.75, 0.8
HELD = ("kept", "better")
AT, BEYOND, GOOD = "at the margin", "1.5 x the margin", "good"
HEADLINE = ("false kept at the margin", "kept where power was promised")
BALLAST = 1024
AT_ONCE = 2


@dataclass(frozen=True)
class Cell:
    """``count`` models of one kind. ``n``: samples of each one's own draw."""

    kind: str
    disagreement: float
    loss: float
    n: int
    count: int

    @property
    def label(self) -> str:
        return f"{self.kind}: loss {100 * self.loss:g} at {100 * self.disagreement:g} % differing, n {self.n:,}"

    @property
    def expected(self) -> float:
        """P(kept) by summing over all tables."""
        return claim_power(self.n, self.disagreement, self.loss, MARGIN)


def promised(disagreement: float) -> int:
    """The size for which the pre-flight promises a model that loses nothing 80 % power."""
    n = needed_n(disagreement, 0.0, MARGIN, PROMISED)
    if look_ahead(n, MARGIN, disagreement=disagreement).power < PROMISED:
        raise ValueError(f"the pre-flight does not promise 80 % at n = {n}")
    return n


def cells(quick: bool, margin_times: int = 1) -> tuple[list[Cell], list[Cell]]:
    """Through ``compare``, and through ``accelerate``. ``margin_times``: as many models at the margin."""
    plan = [
        Cell(AT, 0.01, 0.01, 1000, 18), Cell(AT, 0.02, 0.01, 2000, 17), Cell(AT, 0.04, 0.01, 3800, 18),
        Cell(AT, 0.06, 0.01, 2000, 17),
        Cell(BEYOND, 0.015, 0.015, 1000, 10), Cell(BEYOND, 0.03, 0.015, 2000, 10),
        Cell(BEYOND, 0.06, 0.015, 3800, 10),
        Cell(GOOD, 0.01, 0.0, promised(0.01), 34), Cell(GOOD, 0.03, 0.0, promised(0.03), 33),
        Cell(GOOD, 0.06, 0.0, promised(0.06), 33),
    ]  # fmt: skip
    whole = [Cell(AT, 0.02, 0.01, 2000, 12), Cell(GOOD, 0.03, 0.0, promised(0.03), 12)]
    plan = [replace(c, count=c.count * margin_times) if c.kind == AT else c for c in plan]
    if quick:
        plan = [Cell(c.kind, c.disagreement, c.loss, c.n, 4) for c in plan]
        whole = [Cell(c.kind, c.disagreement, c.loss, c.n, 2) for c in whole]
    return plan, whole


def compared(folder: Path, cell: Cell, seed: list[int]) -> dict[str, Any]:
    """One planted model through ``speedwell compare``."""
    rng = np.random.default_rng(seed)
    change = plant(cell.disagreement, cell.loss, rng)
    folder.mkdir()
    model = write_network(folder / "planted.onnx", change.starts, change.ends)
    data = draw(folder / "confirmation.npz", cell.n, rng)
    command = [
        "compare", str(folder.parent / "original.onnx"), str(model), "--data", str(data), "--task",
        "image-classification", "--colour", "gray", "--scale", "1", "--max-drop", "1pt", "--rounds", "0", "--threads",
        "1", "--json",
    ]  # fmt: skip
    answer, seconds = speedwell(command, folder, {})
    claim = json.loads(answer)["accuracy"]
    shutil.rmtree(folder)
    return facts(cell, change, claim, seconds)


def accelerated(folder: Path, cell: Cell, seed: list[int], site: Path) -> dict[str, Any]:
    """One planted model as what a plug-in pass makes, through ``speedwell accelerate``."""
    rng = np.random.default_rng(seed)
    change = plant(cell.disagreement, cell.loss, rng)
    folder.mkdir()
    sets = {"data": 600, "selection": 2500, "confirmation": cell.n}
    paths = [w for name, n in sets.items() for w in (f"--{name}", str(draw(folder / f"{name}.npz", n, rng)))]
    command = [
        "accelerate", str(folder.parent / "heavy.onnx"), *paths, "--task", "image-classification", "--colour", "gray",
        "--scale", "1", "--max-drop", "1pt", "--engines", "onnxruntime", "--passes", "planted", "--budget", "60s",
        "--rounds", "4", "--calls", "3", "--threads", "1", "--run", str(folder / "run"), "--json",
    ]  # fmt: skip
    windows = ",".join(f"{start}-{end}" for start, end in zip(change.starts, change.ends, strict=True))
    _, seconds = speedwell(command, folder, {"PYTHONPATH": str(site), VARIABLE: windows})
    result = json.loads((folder / "run" / "result.json").read_text())["record"]
    mine = [c for c in result["confirmations"] if [s["name"] for s in c["candidate"]["steps"]] == ["planted"]]
    if mine:
        found = facts(cell, change, mine[0]["accuracy"], seconds)
        found["certified"] = mine[0]["certified"]
    else:
        why = [r["reason"] for r in result["refused"] if [s["name"] for s in r["candidate"]["steps"]] == ["planted"]]
        found = facts(cell, change, {"verdict": "refused", "n": 0, "n12": 0, "n21": 0}, seconds)
        found |= {"certified": False, "why": "; ".join(why) or "it was never tried"}
    shutil.rmtree(folder)
    return found


def facts(cell: Cell, change: Change, claim: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What is kept of one model."""
    return {
        "cell": cell.label, "kind": cell.kind, "loss": change.loss, "disagreement": change.disagreement,
        "windows": [change.starts, change.ends], "verdict": claim["verdict"], "n": claim["n"], "n12": claim["n12"],
        "n21": claim["n21"], "seconds": round(seconds, 2),
    }  # fmt: skip


def speedwell(arguments: list[str], folder: Path, environment: dict[str, str]) -> tuple[str, float]:
    """Run the command line in ``folder``; its output and its seconds. Raises where it fails."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "speedwell", *arguments],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"speedwell {arguments[0]} ended with {done.returncode}: {done.stdout[-600:]} {done.stderr}")
    return done.stdout, time.monotonic() - began


def report(record: Record, prefix: str, plan: list[Cell], found: list[dict[str, Any]]) -> None:
    """Rows per cell, then the two shares."""
    for cell in plan:
        mine = [f for f in found if f["cell"] == cell.label]
        held = sum(f["verdict"] in HELD for f in mine)
        low, high = share_interval(held, len(mine))
        verdicts = ", ".join(f"{n} {v}" for v, n in Counter(f["verdict"] for f in mine).most_common())
        record.row(
            f"{prefix}{cell.label}", "share kept", held / len(mine), n=len(mine),
            note=f"[{low:.3f}, {high:.3f}], in theory {cell.expected:.3f}; {verdicts}",
        )  # fmt: skip
    for kind, case, floor in (
        (AT, HEADLINE[0], FALSE_FLOOR),
        (BEYOND, "false kept beyond", FALSE_FLOOR),
        (GOOD, HEADLINE[1], TRUE_FLOOR),
    ):
        mine = [f for f in found if f["kind"] == kind]
        if not mine:
            continue
        held = sum(f["verdict"] in HELD for f in mine)
        share, (low, high) = held / len(mine), share_interval(held, len(mine))
        if kind == GOOD:
            ratios = (share / floor, low / floor, high / floor)
            state = "reached" if share >= floor else "not refuted" if high >= floor else "missed"
        else:
            ratios = ((1 - share) / (1 - floor), (1 - high) / (1 - floor), (1 - low) / (1 - floor))
            state = "reached" if share <= floor else "not refuted" if low <= floor else "missed"
        note = f"{held} of {len(mine)}, [{low:.3f}, {high:.3f}]; floor {state}"
        record.row(f"{prefix}{case}", "share kept", share, "floor F7", floor, *ratios, n=len(mine), note=note)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--seed", type=int, default=0, help="of the windows and the samples (default 0)")
    made.add_argument(
        "--margin-times", type=int, default=1, help="so many times 70 models at the margin: 70 cannot tell 5 from 7 %%"
    )
    arguments = made.parse_args()
    record = Record("planted", HEADLINE, arguments.quick)
    plan, whole = cells(arguments.quick, arguments.margin_times)
    work = Path(tempfile.mkdtemp(prefix="speedwell-planted-"))
    try:
        write_network(work / "original.onnx")
        write_network(work / "heavy.onnx", ballast=BALLAST)
        site = install(
            Path(__file__).with_name("planted_change.py"), "speedwell.passes", "planted", "PlantedChange", work
        )
        with ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [
                pool.submit(compared, work / f"c{i}-{k}", cell, [arguments.seed, 0, i, k])
                for i, cell in enumerate(plan)
                for k in range(cell.count)
            ]
            jobs += [
                pool.submit(accelerated, work / f"a{i}-{k}", cell, [arguments.seed, 1, i, k], site)
                for i, cell in enumerate(whole)
                for k in range(cell.count)
            ]
            found = []
            try:
                for number, job in enumerate(jobs, 1):
                    found.append(job.result())
                    if number % 20 == 0 or number == len(jobs):
                        print(f"{number} of {len(jobs)} models judged", flush=True)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        split = sum(cell.count for cell in plan)
        report(record, "", plan, found[:split])
        report(record, "accelerate: ", whole, found[split:])
        record.samples = {"compare": found[:split], "accelerate": found[split:]}
        record.finish(arguments.json)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
