"""Which of 150 things does somebody want? MiniLM fine-tuned on CLINC150: text classification with many classes.

    python examples/train_clinc150.py ../shared/data/text/clinc150/data_full.json.gz

Data: a JSON object with lists "train", "val" and "test" of [text, intent]. What each line means: docs/train.md.
"""

import csv
import gzip
import json
import sys
from pathlib import Path

import speedwell


def main(data: Path, epochs: float = 4.0, out: Path = Path("trained/clinc150")):
    sets = tables(data, out.parent / "clinc150-data")
    recipe = {
        "network": f"{Path(__file__).with_name('minilm_classifier.py')}:build",
        "data": sets["train"],
        "validation": sets["val"],
        "test": sets["test"],
        "recipe": {
            "loss": {"name": "cross-entropy", "smoothing": 0.1},
            "optimizer": {"name": "adamw", "lr": 2e-4, "weight_decay": 0.01, "head_lr": 10.0},
            "schedule": {"name": "linear", "warmup": 0.1},
            "batch": 32,
            "clip": 1.0,
            "stop": {"epochs": epochs},
        },
    }
    return speedwell.train(recipe, out, show=True)


def tables(data: Path, folder: Path) -> dict[str, str]:
    """Each list as a csv with a header."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if data.suffix == ".gz" else open
    with opened(data, "rt", encoding="utf-8") as file:
        lists = json.load(file)
    made = {}
    for name in ("train", "val", "test"):
        made[name] = str(folder / f"{name}.csv")
        with open(made[name], "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *lists[name]])
    return made


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    result = main(Path(sys.argv[1]), *(float(a) for a in sys.argv[2:]))
    print(f"test accuracy {result.test:.1%} [{result.test_low:.1%}, {result.test_high:.1%}], {result.seconds:.0f} s")
    print(f"the curve, right and wrong answers: {result.folder / 'report.html'}")
