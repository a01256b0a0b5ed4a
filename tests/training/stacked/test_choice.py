from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from speedwell.core.signature import Signature, TensorSpec
from speedwell.networks.residual import residual
from speedwell.training.batch import Batch
from speedwell.training.recipe import Optimizer, Recipe
from speedwell.training.stacked import Pays, SharedLearner, StackedLearner, learner_for, pays

from .candidates import SIGNATURE, batch_of, mlp

IMAGE = Signature((TensorSpec("image", "float32", ("batch", 3, 32, 32)),), ())


def pictures(n: int) -> Batch:
    return Batch({"image": torch.randn(n, 3, 32, 32)}, torch.arange(n) % 4, np.arange(n))


def test_many_small_networks_are_trained_together():
    found = pays([mlp(k, 8) for k in range(8)], [Recipe()] * 8, SIGNATURE, batch_of(0), seconds=0.2)
    assert found.way == "together"
    assert found.ratio > 1.5
    assert isinstance(
        learner_for([mlp(k, 8) for k in range(8)], [Recipe()] * 8, SIGNATURE, batch_of(0)), StackedLearner
    )


def test_convolutions_on_pictures_are_trained_in_turn():
    networks = [residual(4, (32, 32), depth=8, width=16) for _ in range(4)]
    assert isinstance(learner_for(networks, [Recipe()] * 4, IMAGE, pictures(8), threads=1), SharedLearner)


def test_what_cannot_be_stacked_goes_in_turn_and_says_why():
    networks = [mlp(0, 8), mlp(1, 8, act=nn.GELU)]
    found = pays(networks, [Recipe()] * 2, SIGNATURE, batch_of(0))
    assert found.together is None
    assert (found.ratio, found.way) == (0.0, "in turn")
    assert "candidate 1 is not built like candidate 0" in found.why
    muon = pays([mlp(0, 8)], [Recipe(optimizer=Optimizer("muon"))], SIGNATURE, batch_of(0))
    assert "muon" in muon.why


def test_trying_changes_nothing():
    networks = [mlp(k, 8, norm="batch", dropout=0.5) for k in range(2)]
    before = [{n: v.clone() for n, v in m.state_dict().items()} for m in networks]
    teacher = mlp(9, 8)
    torch.manual_seed(5), random.seed(5), np.random.seed(5)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    pays(networks, [Recipe()] * 2, SIGNATURE, batch_of(0), teacher, threads=2, seconds=0.05)
    assert torch.get_num_threads() == 1
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])
    for network, want in zip(networks, before, strict=True):
        assert all(torch.equal(network.state_dict()[n], v) for n, v in want.items())


@pytest.mark.parametrize(("together", "way"), [(1.0, "in turn"), (0.95, "in turn"), (0.8, "together")])
def test_a_gain_within_the_noise_is_none(together, way):
    assert Pays(together, 1.0).way == way
