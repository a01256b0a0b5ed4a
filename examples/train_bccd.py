"""Blood cells: a detector from random weights to average precision, object detection step by step.

    python examples/train_bccd.py ../shared/data/bccd/bccd.zip

Data: the BCCD set as a zip, or any folder in Pascal VOC's layout (Annotations, JPEGImages, ImageSets/Main with the
lists train, val and test). What each line means: docs/train.md.
"""

import sys
import zipfile
from pathlib import Path

import speedwell


def main(data: Path, epochs: float = 40.0, out: Path = Path("trained/bccd")):
    folder = data if data.is_dir() else unpacked(data, out.parent / f"{data.stem}-data")
    recipe = {
        # the network: a pyramid of convolutions; at every place it says which class, and how far the edges are
        "network": "detector",
        "arguments": {"size": [256, 320]},
        "data": f"{folder}:train",
        "validation": f"{folder}:val",
        "test": f"{folder}:test",
        "options": {"metric": "AP50"},
        "recipe": {
            # the loss is the task's own: focal on the classes, generalized IoU on the boxes
            "optimizer": {"name": "adamw", "lr": 3e-3, "weight_decay": 0.05},
            "schedule": {"name": "cosine", "warmup": 0.05, "final": 0.01},
            "batch": 8,
            # layers compute in bfloat16 where that is faster here; weights, loss and update stay in float32
            "precision": "auto",
            "clip": 10.0,
            "ema": 0.998,
            # turned, resized, moved, four pictures in one, other light; boxes follow
            "augment": {"flip": True, "scale": [0.7, 1.4], "shift": 0.1, "mosaic": 0.4, "colour": 0.3},
            "validate_every": 5.0,
            "stop": {"epochs": epochs},
        },
    }
    return speedwell.train(recipe, out, show=True)


def unpacked(archive: Path, to: Path) -> Path:
    """The folder with Annotations in it; a zip is unpacked once."""
    if not to.is_dir():
        with zipfile.ZipFile(archive) as file:
            file.extractall(to)
    return next(to.rglob("Annotations")).parent


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    result = main(Path(sys.argv[1]), *(float(a) for a in sys.argv[2:]))
    print(f"test {result.metric} {result.test:.3f} on {result.counts['test']} images, {result.seconds:.0f} s")
    print(f"the curve, boxes right and wrong: {result.folder / 'report.html'}")
