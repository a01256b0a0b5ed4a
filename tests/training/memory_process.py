"""Train on a data set of 1 GB, and say the most memory that was held: run by ``test_memory.py``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from speedwell.core.signature import Signature, TensorSpec
from speedwell.inputs import EncodedSplit, ImageTransform, Samples
from speedwell.measure.process import peak_bytes
from speedwell.networks import build_network
from speedwell.training import Learner, Loader, batch_maker, train
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.recipe import Augment, Loss, Recipe, Stop

SIDE = 96
COUNT = (1 << 30) // (SIDE * SIDE * 3)


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(2)
    noise = np.random.default_rng(0).integers(0, 256, (64, SIDE, SIDE, 3)).astype(np.uint8)

    def load(i: int) -> np.ndarray:
        picture = noise[i % 64].copy()
        picture[0, 0, 0], picture[0, 0, 1] = i % 256, i // 256 % 256  # no two are equal
        return picture

    samples = Samples(load, np.arange(COUNT) % 4, [str(i) for i in range(COUNT)], tuple("abcd"))
    split = EncodedSplit.write(folder / "data", samples, np.arange(COUNT), ImageTransform("image", (SIDE, SIDE)))
    recipe = Recipe(batch=256, stop=Stop(epochs=1), augment=Augment(flip=True))
    network = build_network("residual", classes=4, size=[SIDE, SIDE], depth=8, width=4)
    signature = Signature((TensorSpec("image", "float32", ("batch", 3, SIDE, SIDE)),), ())
    learner = Learner(network, ClassLoss(Loss()), recipe, signature)
    train(learner, Loader(batch_maker(split, recipe.augment), COUNT, recipe.batch, 0), folder / "run")
    print(json.dumps({"data": COUNT * SIDE * SIDE * 3, "held": peak_bytes(os.getpid())}))


if __name__ == "__main__":
    main()
