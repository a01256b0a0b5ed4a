"""F6: seconds of ``import speedwell`` and of ``speedwell --help`` in fresh processes, against the floor of 0.3 s.

A bare interpreter is timed in the same rounds, twice: for scale, and as the A/A control.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time

from interval import median_interval, paired_ratio
from record import Record, parser

COMMANDS = {
    "import speedwell": [sys.executable, "-c", "import speedwell"],
    "speedwell --help": [sys.executable, "-m", "speedwell", "--help"],
    "python": [sys.executable, "-c", "pass"],
    "python again": [sys.executable, "-c", "pass"],
}
HEADLINE = ("import speedwell", "speedwell --help")
FLOOR = 0.3


def main() -> None:
    arguments = parser(__doc__).parse_args()
    record = Record("startup", HEADLINE, arguments.quick)
    samples: dict[str, list[float]] = {name: [] for name in COMMANDS}
    order = random.Random(0)
    for command in COMMANDS.values():  # the first start reads the files from disk: not what is measured
        subprocess.run(command, check=True, capture_output=True)
    for _ in range(4 if arguments.quick else 12):
        for name in order.sample(list(COMMANDS), len(COMMANDS)):
            began = time.perf_counter()
            subprocess.run(COMMANDS[name], check=True, capture_output=True)
            samples[name].append(time.perf_counter() - began)
    for name in ("import speedwell", "speedwell --help", "python"):
        middle, low, high = median_interval(samples[name])
        note = "for scale" if name == "python" else "kept" if middle <= FLOOR else "missed"
        record.row(
            name,
            "seconds",
            middle,
            "floor F6",
            FLOOR,
            FLOOR / middle,
            FLOOR / high,
            FLOOR / low,
            len(samples[name]),
            note,
        )
    record.control(*paired_ratio(samples["python"], samples["python again"]))
    record.samples = samples
    record.finish(arguments.json)


if __name__ == "__main__":
    main()
