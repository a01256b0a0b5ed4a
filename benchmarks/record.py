"""``Record``: what one benchmark found, in the one shape that all of them share (table, JSON, last line)."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from speedwell.core import Hardware, encode

__all__ = ["Record", "parser"]

FAILED = 0.1
"""What a case of our own counts that is missing or failed."""
ALSO_VERSIONED = ("scipy", "scikit-learn", "mlxtend")


def parser(description: str) -> argparse.ArgumentParser:
    """The arguments that every benchmark has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="under 10 minutes on two cores; makes no claim")
    made.add_argument("--json", type=Path, metavar="PATH", help="write everything, raw samples too, to this file")
    return made


class Record:
    """``headline``: the cases that the geometric mean is over; rows of any other case go to ``extra``.

    A row's ``ratio`` is above 1 where we are ahead (of a peer, or of a floor); ``low`` and ``high`` are its interval,
    at 95 % unless its note says otherwise.
    """

    def __init__(self, name: str, headline: Sequence[str], quick: bool) -> None:
        self.name = name
        self.headline = list(headline)
        self.quick = quick
        self.samples: dict[str, Any] = {}
        self.aa: dict[str, float] | None = None
        self.versions: dict[str, str] = {n: v for n in ALSO_VERSIONED if (v := _version(n))}
        self.machine = Hardware.here()
        self._rows: list[dict[str, Any]] = []
        self._began = time.time()
        machine = self.machine
        print(f"{name}: {machine.cpu}, {machine.cores} cores, {machine.isa}, Python {machine.python}", flush=True)
        if quick:
            print("quick form: no claim", flush=True)

    def row(
        self,
        case: str,
        metric: str,
        ours: float | None,
        peer: str = "",
        peer_value: float | None = None,
        ratio: float | None = None,
        low: float | None = None,
        high: float | None = None,
        n: int = 0,
        note: str = "",
    ) -> None:
        """Add one line of the table. ``ratio`` None: not measured, ``note`` says why."""
        self._rows.append(
            {
                "case": case, "metric": metric, "ours": ours, "peer": peer, "peer_value": peer_value, "ratio": ratio,
                "low": low, "high": high, "n": n, "note": note,
            }
        )  # fmt: skip

    def control(self, ratio: float, low: float, high: float) -> None:
        """The A/A control: the same thing timed against itself in the same rounds."""
        self.aa = {"ratio": ratio, "low": low, "high": high}

    def geomean(self) -> tuple[float, float, float]:
        """(ratio, low, high) over the headline cases, the worst peer of each; the bounds are those of the bounds."""
        worst = []
        for case in self.headline:
            mine = [r for r in self._rows if r["case"] == case and r["ratio"] is not None]
            row = min(mine, key=lambda r: r["ratio"], default={"ratio": FAILED, "low": FAILED, "high": FAILED})
            ratio = max(row["ratio"], 1e-9)
            worst.append((ratio, max(row["low"] or ratio, 1e-9), max(row["high"] or ratio, 1e-9)))
        if not worst:
            return FAILED, FAILED, FAILED
        return tuple(math.exp(sum(math.log(w[i]) for w in worst) / len(worst)) for i in range(3))  # type: ignore[return-value]

    def finish(self, json_path: Path | None = None) -> None:
        """Print the table and the last line; write the JSON."""
        self._table()
        ratio, low, high = self.geomean()
        if json_path is not None:
            self._write(json_path, ratio)
        print(f"geomean {ratio:.3f} ({low:.3f}-{high:.3f}) over {len(self.headline)} cases", flush=True)

    def _table(self) -> None:
        head = ("case", "metric", "ours", "peer or floor", "its value", "ratio", "interval", "n", "note")
        lines = [head]
        for r in sorted(self._rows, key=lambda r: r["case"] not in self.headline):
            between = "" if r["low"] is None or r["high"] is None else f"[{_short(r['low'])}, {_short(r['high'])}]"
            lines.append((
                r["case"], r["metric"], _short(r["ours"]), r["peer"], _short(r["peer_value"]), _short(r["ratio"]),
                between, str(r["n"] or ""), r["note"],
            ))  # fmt: skip
        widths = [max(len(line[i]) for line in lines) for i in range(len(head) - 1)]
        print()
        for line in lines:
            print("  ".join(c.ljust(w) for c, w in zip(line, [*widths, 0], strict=True)).rstrip())
        if self.aa is not None:
            aa = self.aa
            print(f"A/A control {aa['ratio']:.3f} [{aa['low']:.3f}, {aa['high']:.3f}]")
        print(f"took {time.time() - self._began:.0f} s", flush=True)

    def _write(self, path: Path, geomean: float) -> None:
        whole = {
            "name": self.name,
            "command": shlex.join(["python", *sys.argv]),
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._began)),
            "quick": self.quick,
            "machine": encode(self.machine),
            "versions": {"python": self.machine.python, **self.machine.versions, **self.versions},
            "headline": self.headline,
            "rows": [r for r in self._rows if r["case"] in self.headline],
            "extra": [r for r in self._rows if r["case"] not in self.headline],
            "geomean": geomean,
            "aa": self.aa,
            "samples": self.samples,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n")


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
