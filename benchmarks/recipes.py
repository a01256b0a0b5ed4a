"""What two choices of a recipe do to what is learnt: the number format of layers, and the optimizer.

Compared, on the same network, samples, order and number of steps, over seeds (another start, order and augmentation):

- ``bfloat16`` against ``float32``: the metric on samples that were never trained on. Nothing is to be lost; a headline
  case is the share of float32's metric that is kept, floor 0.99 at the lower end of its interval;
- ``muon`` against ``sgd`` and ``adamw``, each at the learning rate of three that was best on a seed of its own, in
  bfloat16 where the machine has it: the metric, and the seconds that the training took. An optimizer earns its place
  where it reaches more in the same steps, and its steps are not slower by as much.

ResNet-20 trains on 32 x 32 images (``--cifar FOLDER`` with train.npz and test.npz; else MNIST of a package), the
detector on digits on textures. Differences are in points, paired by seed. Nothing here is timed against anything but
itself, so it may run beside other work.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import speedwell
from record import Record, parser
from train_data import mnist_folders

RATES = {"sgd": (0.1, 0.2, 0.4), "adamw": (1e-3, 3e-3, 6e-3), "muon": (0.01, 0.02, 0.04)}
SEEDS, QUICK = 6, 3
TUNED = 1000
"""The seed that learning rates are chosen with."""
KEPT = 0.99


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--cifar", type=Path, help="a folder with train.npz and test.npz")
    made.add_argument("--only", choices=("precision", "optimizer"), help="one of the two questions")
    arguments = made.parse_args()
    seeds = range(QUICK if arguments.quick else SEEDS)
    cases = ("resnet-20, bfloat16", "detector, bfloat16")
    record = Record("recipes", () if arguments.only == "optimizer" else cases, arguments.quick)
    with tempfile.TemporaryDirectory(prefix="speedwell-recipes-") as scratch:
        place = Path(scratch)
        if arguments.cifar is not None:
            images: dict[str, Any] = {
                "data": str(arguments.cifar / "train.npz"), "test": str(arguments.cifar / "test.npz"),
                "share": 0.2, "flip": True, "crop": 4,
            }  # fmt: skip
        else:
            images = {**mnist_folders(place), "share": 1.0, "flip": False, "crop": 2}
        runs = Runs(place, images, record)
        if arguments.only != "optimizer":
            for case, of in ((cases[0], runs.image), (cases[1], runs.detector)):
                _kept(record, case, *([of(seed, precision) for seed in seeds] for precision in ("bfloat16", "float32")))
        if arguments.only != "precision":
            _optimizers(record, runs, seeds)
        record.samples = runs.samples
    record.finish(arguments.json)


class Runs:
    """Trainings, each once: (metric, seconds)."""

    def __init__(self, place: Path, images: dict[str, Any], record: Record) -> None:
        self.place, self.images, self.quick = place, images, record.quick
        self.samples: dict[str, tuple[float, float]] = {}

    def image(self, seed: int, precision: str, optimizer: str = "sgd", lr: float = 0.2) -> tuple[float, float]:
        settings = {
            "network": "residual", "arguments": {"depth": 20, "size": [32, 32]},
            **{name: self.images[name] for name in ("data", "test", "share")},
            "recipe": {
                "optimizer": {"name": optimizer, "lr": lr, "weight_decay": 0.05 if optimizer == "adamw" else 5e-4},
                "schedule": {"name": "cosine", "warmup": 0.15}, "batch": 128, "ema": 0.99,
                "loss": {"smoothing": 0.05}, "precision": precision, "seed": seed,
                "augment": {"flip": self.images["flip"], "crop": self.images["crop"]},
                "stop": {"epochs": 5.0 if self.quick else 12.0}, "validate_every": 100.0,
            },
        }  # fmt: skip
        return self._trained(f"resnet-20 {optimizer} {lr:g} {precision} seed {seed}", settings)

    def detector(self, seed: int, precision: str) -> tuple[float, float]:
        count = 400 if self.quick else 1000
        settings = {
            "network": "detector", "arguments": {"size": [128, 128]},
            "data": f"scenes:digits?n={count}&seed=1&size=128&part=train",
            "validation": "scenes:digits?n=50&seed=2&size=128&part=selection",
            "test": "scenes:digits?n=1000&seed=3&size=128&part=confirmation",
            "options": {"metric": "AP"},
            "recipe": {
                "precision": precision, "seed": seed, "stop": {"epochs": 15.0 if self.quick else 20.0},
                "augment": {"flip": False}, "validate_every": 100.0,
            },
        }  # fmt: skip
        return self._trained(f"detector {precision} seed {seed}", settings)

    def _trained(self, name: str, settings: dict[str, Any]) -> tuple[float, float]:
        if name not in self.samples:
            result = speedwell.train(settings, self.place / name.replace(" ", "-"))
            assert result.test is not None
            self.samples[name] = result.test, result.seconds
            print(f"{name}: {100 * result.test:.2f} %, {result.seconds:.1f} s", file=sys.stderr, flush=True)
        return self.samples[name]


def _optimizers(record: Record, runs: Runs, seeds: Sequence[int]) -> None:
    best = {
        name: max(rates, key=lambda lr, n=name: runs.image(TUNED, "auto", n, lr)[0]) for name, rates in RATES.items()
    }
    found = {name: [runs.image(seed, "auto", name, lr) for seed in seeds] for name, lr in best.items()}
    for other in ("sgd", "adamw"):
        _compared(record, f"resnet-20, muon over {other}", other, found["muon"], found[other], best)


def _paired(mine: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """(mean difference, low, high), Student's 95 % interval over pairs."""
    apart = np.subtract(mine, theirs)
    half = float(stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart)))
    return float(apart.mean()), float(apart.mean()) - half, float(apart.mean()) + half


def _kept(record: Record, case: str, mine: list[tuple[float, float]], theirs: list[tuple[float, float]]) -> None:
    scores = [[score for score, _ in side] for side in (mine, theirs)]
    apart, low, high = _paired(*scores)
    base = float(np.mean(scores[1]))
    record.row(
        case, "metric kept", float(np.mean(scores[0])), "float32", base, 1 + apart / base, 1 + low / base,
        1 + high / base, len(mine), f"{100 * apart:+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}]; floor {KEPT}",
    )  # fmt: skip


def _compared(record: Record, case: str, other: str, mine: Any, theirs: Any, best: dict[str, float]) -> None:
    apart, low, high = _paired([s for s, _ in mine], [s for s, _ in theirs])
    slower = float(np.mean([t for _, t in mine]) / np.mean([t for _, t in theirs]))
    ours, base = (float(np.mean([s for s, _ in side])) for side in (mine, theirs))
    # of errors, fewer is better: above 1 where Muon makes fewer
    record.row(
        case, "errors", 1 - ours, f"{other}, lr {best[other]:g}", 1 - base, (1 - base) / (1 - ours), None, None,
        len(mine), f"muon lr {best['muon']:g}: {100 * apart:+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}] in the "
        f"same steps, {slower:.2f} times the seconds",
    )  # fmt: skip


if __name__ == "__main__":
    main()
