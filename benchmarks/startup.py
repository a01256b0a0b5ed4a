"""F6: seconds of ``import speedwell`` and ``speedwell --help``, each against a bare interpreter, in fresh processes."""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time

from speedwell.core import Hardware, encode

COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import speedwell": [sys.executable, "-c", "import speedwell"],
    "speedwell --help": [sys.executable, "-m", "speedwell", "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    samples: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(5 if arguments.quick else 12):
        for name in random.sample(list(COMMANDS), len(COMMANDS)):
            began = time.perf_counter()
            subprocess.run(COMMANDS[name], check=True, capture_output=True)
            samples[name].append(time.perf_counter() - began)
    machine = Hardware.here()
    print(f"{machine.cpu}, {machine.cores} cores, Python {machine.python}")
    for name, seconds in samples.items():
        print(f"{name:<18} median {statistics.median(seconds):.3f} s   {min(seconds):.3f} to {max(seconds):.3f}")
    if arguments.json:
        with open(arguments.json, "w") as f:
            json.dump({"name": "startup", "machine": encode(machine), "samples": samples}, f, indent=1)
    worst = max(statistics.median(samples[n]) for n in COMMANDS if n != "python")
    print(f"slowest {worst:.3f} s, floor 0.3 s: {'kept' if worst <= 0.3 else 'missed'}")


if __name__ == "__main__":
    main()
