"""ResNet-20 on CIFAR-10, from random weights to a test score: image classification, step by step.

    python examples/train_cifar.py ../shared/data/cifar10_jpg 40

Data: train.npz and test.npz with encoded images (blob, offsets, labels, classes), or two folders with a folder per
class, called train and test. The number is the time limit in minutes. What each line means: docs/train.md.
"""

import sys
from pathlib import Path

import speedwell


def main(folder: Path, minutes: float, out: Path = Path("trained/cifar")):
    end = ".npz" if (folder / "train.npz").exists() else ""
    recipe = {
        # the network: a stem, three stages of residual blocks, the average over places, a linear layer
        "network": "residual",
        "arguments": {"depth": 20, "size": [32, 32]},
        "data": str(folder / f"train{end}"),
        "test": str(folder / f"test{end}"),
        "recipe": {
            # the loss: cross-entropy, the right class at 0.95 instead of 1
            "loss": {"name": "cross-entropy", "smoothing": 0.05},
            # the update: gradient descent with momentum; large steps first, then ever smaller ones
            "optimizer": {"name": "sgd", "lr": 0.4, "momentum": 0.9, "weight_decay": 5e-4},
            "schedule": {"name": "cosine", "warmup": 0.15},
            "batch": 256,
            # layers compute in bfloat16 where that is faster here; weights, loss and update stay in float32
            "precision": "auto",
            # what is shown is never the same twice: moved by up to 4 pixels, turned left to right
            "augment": {"flip": True, "crop": 4},
            # what is handed over: the weights averaged over the last steps
            "ema": 0.995,
            "stop": {"epochs": 60.0, "minutes": minutes},
        },
    }
    return speedwell.train(recipe, out, show=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    result = main(Path(sys.argv[1]), float(sys.argv[2]))
    print(f"test accuracy {result.test:.1%} [{result.test_low:.1%}, {result.test_high:.1%}], {result.seconds:.0f} s")
    print(f"the curve, right and wrong answers: {result.folder / 'report.html'}")
