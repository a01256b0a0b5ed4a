"""One side of one case of ``train.py`` in a process of its own: trains for some seconds, prints samples a second."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from speedwell.core.signature import Signature, TensorSpec
from speedwell.inputs import EncodedSplit
from speedwell.networks import build_network
from speedwell.training import Learner, Loader, batch_maker, joined
from speedwell.training.augment.detection import DetectionAugmentation, augment
from speedwell.training.kept_memory import kept_memory
from speedwell.training.losses import ClassLoss, DetectionLoss, DetectionTargets
from speedwell.training.order import sample_rng
from speedwell.training.precision import choose_precision
from speedwell.training.recipe import Augment, Loss, Optimizer, Recipe
from train_data import SCENE, SIDE

BATCH = {"resnet-20": 128, "minilm": 32, "detector": 16}
WARM_UP = 3
"""Steps before the clock starts."""


def network_of(case: str, classes: int) -> nn.Module:
    torch.manual_seed(0)
    if case == "resnet-20":
        return build_network("residual", classes=classes, size=[SIDE, SIDE], depth=20)
    if case == "detector":
        return build_network("detector", classes=classes, size=[SCENE, SCENE])
    sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
    from minilm_classifier import build

    return build(classes)


def optimizer_of(case: str) -> Optimizer:
    if case == "resnet-20":
        return Optimizer("sgd", lr=0.05, weight_decay=5e-4)
    return Optimizer("adamw", lr=1e-4, weight_decay=0.01)


def augment_of(case: str) -> Augment:
    if case == "resnet-20":
        return Augment(flip=True, crop=4)
    if case == "detector":
        return Augment(scale=(0.8, 1.25), shift=0.1, mosaic=0.3, colour=0.3)
    return Augment()


def ours(case: str, split: EncodedSplit, seconds: float, precision: str) -> dict[str, Any]:
    """The package's own loader and learner, guard and all."""
    with joined() as ranks, kept_memory():
        recipe = Recipe(optimizer=optimizer_of(case), augment=augment_of(case), batch=BATCH[case], precision=precision)
        names = ("input_ids", "attention_mask") if case == "minilm" else ("image",)
        signature = Signature(tuple(TensorSpec(n, "float32", ()) for n in names), ())
        loss = DetectionLoss((SCENE, SCENE)) if case == "detector" else ClassLoss(Loss())
        learner = Learner(network_of(case, _classes(split)), loss, recipe, signature, ranks=ranks)
        loader = Loader(
            batch_maker(split, recipe.augment), len(split), recipe.batch, 0, split.lengths, ranks.rank, ranks.world
        )
        if precision == "auto":
            choose_precision(learner, loader)
        done, began, number = 0, 0.0, 0
        while True:
            for batch, whole in loader.epoch(number // loader.steps):
                result = learner.step(batch, whole, number, 1e-4)
                assert result.skip is None, "a skipped step is no work"
                number += 1
                if number == WARM_UP:
                    began = time.perf_counter()
                elif number > WARM_UP:
                    done += whole
                    over = time.perf_counter() - began >= seconds
                    if ranks.agreed(over, False, 0.0)[0]:
                        return {"speed": done / (time.perf_counter() - began), "precision": learner.precision}


def data_path(case: str, split: EncodedSplit, seconds: float) -> dict[str, float]:
    """The loader alone: nothing computes, batches are taken as fast as they come."""
    loader = Loader(batch_maker(split, augment_of(case)), len(split), BATCH[case], 0, split.lengths)
    done, began, number = 0, 0.0, 0
    while True:
        for batch, _ in loader.epoch(number // loader.steps):
            number += 1
            if number == WARM_UP:
                began = time.perf_counter()
            elif number > WARM_UP:
                done += len(batch)
                if time.perf_counter() - began >= seconds:
                    return {"speed": done / (time.perf_counter() - began)}


class Held(torch.utils.data.Dataset[Any]):
    """What a careful user of PyTorch writes: samples decoded once and held in memory, augmented one by one."""

    def __init__(self, case: str, split: EncodedSplit) -> None:
        self.case = case
        self.samples = [{n: np.array(v) for n, v in split.encoded(i).items()} for i in range(len(split))]
        self.targets = split.targets
        self.objects = [split.objects(i) for i in range(len(split))] if case == "detector" else []
        self.options = DetectionAugmentation(scale=(0.8, 1.25), shift=0.1, mosaic=0.3, colour=0.3)
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> Any:
        if self.case == "minilm":
            return torch.from_numpy(self.samples[i]["ids"].astype(np.int64)), int(self.targets[i])
        if self.case == "detector":
            picture, objects = augment(i, self._read, len(self), self.rng, self.options)
            return (torch.from_numpy(picture).permute(2, 0, 1).float() / 255 - 0.5) / 0.25, objects
        image = torch.from_numpy(self.samples[i]["pixels"]).permute(2, 0, 1).float() / 255
        image = nn.functional.pad(image[None], (4, 4, 4, 4), mode="reflect")[0]
        y, x = self.rng.integers(0, 9, 2)
        image = image[:, y : y + SIDE, x : x + SIDE]
        return ((image.flip(2) if self.rng.random() < 0.5 else image) - 0.5) / 0.25, int(self.targets[i])

    def _read(self, i: int) -> Any:
        return self.samples[i]["pixels"], self.objects[i]


def collate(case: str, items: list[Any]) -> tuple[dict[str, torch.Tensor], Any]:
    if case == "minilm":  # padded to the longest of the batch, no further
        ids = nn.utils.rnn.pad_sequence([i for i, _ in items], batch_first=True)
        lengths = torch.tensor([len(i) for i, _ in items])
        mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
        return {"input_ids": ids, "attention_mask": mask}, torch.tensor([t for _, t in items])
    image = torch.stack([i for i, _ in items])
    if case == "detector":
        return {"image": image}, DetectionTargets.of([o for _, o in items])
    return {"image": image}, torch.tensor([t for _, t in items])


def peer(case: str, split: EncodedSplit, seconds: float, workers: int, cast: bool) -> dict[str, Any]:
    """A plain loop: eager, float32, DataLoader, dynamic padding, fused optimizer. ``cast``: under autocast."""
    network = network_of(case, _classes(split)).train()
    choice = optimizer_of(case)
    if choice.name == "sgd":
        optimizer: Any = torch.optim.SGD(
            network.parameters(), choice.lr, 0.9, weight_decay=choice.weight_decay, nesterov=True, fused=True
        )
    else:
        optimizer = torch.optim.AdamW(network.parameters(), choice.lr, weight_decay=choice.weight_decay, fused=True)
    loss_of = DetectionLoss((SCENE, SCENE)) if case == "detector" else None
    loader = torch.utils.data.DataLoader(
        Held(case, split), BATCH[case], shuffle=True, num_workers=workers, persistent_workers=workers > 0,
        collate_fn=lambda items: collate(case, items),
    )  # fmt: skip
    done, began = 0, 0.0
    for number, (inputs, targets) in enumerate(_forever(loader), 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=cast):
            outputs = network(**inputs)
        loss = loss_of(outputs, targets) if loss_of is not None else nn.functional.cross_entropy(outputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number == WARM_UP:
            began = time.perf_counter()
        elif number > WARM_UP:
            done += len(next(iter(inputs.values())))
            if time.perf_counter() - began >= seconds:
                break
    return {"speed": done / (time.perf_counter() - began), "loss": float(loss.detach())}


def _forever(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def _classes(split: EncodedSplit) -> int:
    return len(split.classes) or int(split.targets.max()) + 1


def main() -> None:
    case, side, folder, seconds, threads = sys.argv[1:6]
    torch.set_num_threads(int(threads))
    sample_rng(0)  # what the first batch would import is imported before the clock runs
    split = EncodedSplit.open(Path(folder) / "split")
    if side.startswith(("plain", "cast")):
        said = peer(case, split, float(seconds), int(side[-1]), side.startswith("cast"))
    elif side == "data":
        said = data_path(case, split, float(seconds))
    else:
        said = ours(case, split, float(seconds), "float32" if side in ("ours32", "one", "two") else "auto")
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(said))


if __name__ == "__main__":
    main()
