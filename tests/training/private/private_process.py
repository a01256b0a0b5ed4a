"""Small private trainings, each from its last checkpoint and in a process of its own, so that it can be killed:
``private_process.py KEY FOLDER:KILL ...``. Prints {"code", "error", "empty"} of each as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from speedwell.core.errors import SpeedwellError
from speedwell.core.signature import Signature, TensorSpec
from speedwell.training.batch import Batch
from speedwell.training.loop import train
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.private import PoissonLoader, PrivateLearner, Secret
from speedwell.training.recipe import Loss, Optimizer, Privacy, Recipe, Stop


def training(folder: Path, key: Path, kill: int) -> int:
    """The number of batches that were empty."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pixels, labels = rng.standard_normal((40, 1, 8, 8)).astype(np.float32), rng.integers(0, 4, 40)
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
    recipe = Recipe(
        optimizer=Optimizer("adamw", lr=0.01), stop=Stop(epochs=1.5), batch=2, ema=0.9, checkpoint_seconds=0.0,
        privacy=Privacy(noise=1.0, delta=1e-3),
    )  # fmt: skip
    asked = 0

    def make(index, generator) -> Batch:
        image = pixels[index] + generator.standard_normal(pixels[index].shape) if generator else pixels[index]
        return Batch({"image": torch.from_numpy(image.astype(np.float32))}, torch.from_numpy(labels[index]), index)

    class Killed(PrivateLearner):
        def step(self, batch: Batch, whole: int, number: int, rate: float):
            nonlocal asked
            done = super().step(batch, whole, number, rate)
            asked += whole == 0
            if kill and number + 1 == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

    secret = Secret.open(key)
    signature = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8)),), ())
    learner = Killed(network, ClassLoss(Loss()), recipe, signature, secret=secret)
    train(learner, PoissonLoader(make, 40, 2, secret), folder)
    return asked


def apart(folder: Path, key: Path, kill: int) -> dict[str, object]:
    """Forked before torch has computed anything: imports take longer than the training."""
    said, say = os.pipe()
    child = os.fork()
    if not child:
        told: dict[str, object] = {"error": "", "empty": 0}
        try:
            told["empty"] = training(folder, key, kill)
        except SpeedwellError as error:
            told["error"] = f"{type(error).__name__}: {error.what}"
        os.write(say, json.dumps(told).encode())
        os._exit(bool(told["error"]))
    os.close(say)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with os.fdopen(said) as told_by:
        return {"code": code, **json.loads(told_by.read() or "{}")}


torch.set_num_threads(1)
key_file, *runs = sys.argv[1:]
print(json.dumps([apart(Path(r.rpartition(":")[0]), Path(key_file), int(r.rpartition(":")[2])) for r in runs]))
