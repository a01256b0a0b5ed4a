"""Is a sentence about a film kind or unkind? MiniLM fine-tuned on SST-2: text classification, step by step.

    python examples/train_sst2.py ../shared/data/text/sst2

Data: train.tsv, dev.tsv and test.tsv (or .tsv.gz), each line a text, a tab and a label.
What each line means: docs/train.md.
"""

import csv
import gzip
import sys
from pathlib import Path

import speedwell


def main(folder: Path, epochs: float = 3.0, out: Path = Path("trained/sst2")):
    sets = {
        name: table(next(folder.glob(f"{name}.tsv*")), out.parent / "sst2-data") for name in ("train", "dev", "test")
    }
    recipe = {
        # the network: an encoder that has read much already, with a new last layer
        "network": f"{Path(__file__).with_name('minilm_classifier.py')}:build",
        "data": sets["train"],
        "validation": sets["dev"],
        "test": sets["test"],
        "recipe": {
            "loss": {"name": "cross-entropy", "smoothing": 0.05},
            # small steps for what knows much, ten times as large ones for the layer that knows nothing
            "optimizer": {"name": "adamw", "lr": 1e-4, "weight_decay": 0.01, "head_lr": 10.0},
            "schedule": {"name": "linear", "warmup": 0.1},
            "batch": 32,
            "clip": 1.0,
            # a tenth of the words is hidden while it learns
            "augment": {"drop_tokens": 0.1},
            "stop": {"epochs": epochs},
        },
    }
    return speedwell.train(recipe, out, show=True)


def table(path: Path, folder: Path) -> str:
    """The lines as a csv with a header, which every reader understands."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{path.name.partition('.')[0]}.csv"
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines, out.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for line in lines:
            text, _, label = line.rstrip("\n").rpartition("\t")
            rows.writerow([text, label])
    return str(out)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    result = main(Path(sys.argv[1]), *(float(a) for a in sys.argv[2:]))
    print(f"test accuracy {result.test:.1%} [{result.test_low:.1%}, {result.test_high:.1%}], {result.seconds:.0f} s")
    print(f"the curve, right and wrong answers: {result.folder / 'report.html'}")
