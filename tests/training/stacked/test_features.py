from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from speedwell.core.errors import DataError, DataNotFoundError, UsageError
from speedwell.training.batch import batch_maker
from speedwell.training.loader import Loader
from speedwell.training.recipe import Augment, Optimizer, Recipe, Stop
from speedwell.training.stacked import FeatureBatches, Features, StackedLearner, train_together

from ..conftest import SIGNATURE, Small, small


class Encoder(nn.Module):
    def __init__(self, network: Small) -> None:
        super().__init__()
        self.network, self.runs = network, 0

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        self.runs += 1
        x = torch.relu(self.network.norm(self.network.conv(image)))
        pooled = x.mean(dim=(2, 3))
        return {"ids": torch.arange(len(image)), "pooled": self.network.dropout(pooled), "map": x}


def test_features_are_what_the_encoder_gives_in_evaluation(split, tmp_path):
    encoder = Encoder(small()).train()
    features = Features.write(tmp_path / "features", encoder, SIGNATURE, split, batch=7)
    assert encoder.training
    with torch.no_grad():
        whole = batch_maker(split, Augment())(np.arange(len(split)), None)
        want = encoder.eval()(**whole.inputs)
    assert np.allclose(features.values[:], want["pooled"].numpy(), atol=1e-6)
    assert np.array_equal(features.targets, split.targets)
    assert isinstance(features.values[:], np.memmap)
    maps = Features.write(tmp_path / "maps", encoder, SIGNATURE, split, output="map")
    assert maps.values.shape == (40, 8, 8, 8)


def test_the_encoder_runs_once_until_something_changes(split, tmp_path):
    encoder = Encoder(small())
    where = tmp_path / "features"
    Features.write(where, encoder, SIGNATURE, split, batch=20)
    Features.write(where, encoder, SIGNATURE, split, batch=20)
    assert encoder.runs == 2
    with torch.no_grad():
        encoder.network.conv.weight[0, 0, 0, 0] += 1
    changed = Features.write(where, encoder, SIGNATURE, split, batch=20)
    assert encoder.runs == 4
    Features.write(where, encoder, SIGNATURE, split.first(30), batch=20)
    assert encoder.runs == 6
    assert len(Features.open(where)) == 30
    assert len(changed) == 40
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_heads_learn_on_features(split, tmp_path):
    features = Features.write(tmp_path / "features", Encoder(small()), SIGNATURE, split)
    recipes = [Recipe(optimizer=Optimizer(lr=lr), batch=8, stop=Stop(epochs=30)) for lr in (1e-5, 3e-2)]
    learner = StackedLearner([nn.Linear(8, 4) for _ in recipes], recipes, features.signature)
    every = FeatureBatches(features)(np.arange(len(features)), None)

    def accuracy(learner: StackedLearner) -> list[float]:
        return (learner.outputs(every.inputs).argmax(dim=2) == every.targets).double().mean(dim=1).tolist()

    slow, fast = train_together(learner, Loader(FeatureBatches(features), len(features), 8, seed=0), accuracy)
    assert fast.metric > 0.7
    assert fast.metric > slow.metric


def test_what_cannot_be_kept_is_refused_in_words(split, tmp_path):
    with pytest.raises(UsageError, match="no output 'nothing'"):
        Features.write(tmp_path / "a", Encoder(small()), SIGNATURE, split, output="nothing")

    class Whole(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.mean(dim=0, keepdim=True)

    with pytest.raises(UsageError, match=r"the encoder gives \[1, 3, 8, 8\] for 40 samples"):
        Features.write(tmp_path / "a", Whole(), SIGNATURE, split)
    assert not (tmp_path / "a").exists()


def test_damaged_features_are_told_and_made_anew(split, tmp_path):
    where = tmp_path / "features"
    with pytest.raises(DataNotFoundError):
        Features.open(where)
    Features.write(where, Encoder(small()), SIGNATURE, split)
    facts = json.loads((where / "features.json").read_text())
    (where / "features.json").write_text(json.dumps(facts | {"n": 3}))
    with pytest.raises(DataError, match="damaged"):
        Features.open(where)
    (where / "features.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        Features.open(where)
    assert len(Features.write(where, Encoder(small()), SIGNATURE, split)) == 40
