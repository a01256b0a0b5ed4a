from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from speedwell.training.averaging import Average
from speedwell.training.muon import Muon, orthogonalized
from speedwell.training.optimizers import learning_rate, make_optimizer, set_learning_rate
from speedwell.training.recipe import Optimizer, Schedule

from .conftest import small


@given(st.sampled_from(["cosine", "linear", "constant"]), st.floats(0, 0.5), st.floats(0, 0.9), st.integers(2, 500))
def test_the_learning_rate_rises_then_never_rises_again(name, warmup, final, total):
    schedule = Schedule(name, warmup, final)
    rates = [learning_rate(schedule, step, total) for step in range(total)]
    peak = int(np.argmax(rates))
    assert all(0 <= r <= 1 for r in rates)
    assert peak <= max(1, round(warmup * total))
    assert (np.diff(rates[: peak + 1]) >= -1e-12).all()
    assert (np.diff(rates[peak:]) <= 1e-12).all()
    if name != "constant" and warmup < 0.4 and total > 100:
        assert rates[-1] == pytest.approx(final, abs=0.05)


def test_norms_and_biases_are_not_decayed_and_the_head_is_faster():
    optimizer = make_optimizer(small(), Optimizer("adamw", lr=0.1, weight_decay=0.5, head_lr=10))
    set_learning_rate(optimizer, 0.1)
    found = {id(p): (g["weight_decay"], g["lr"]) for g in optimizer.param_groups for p in g["params"]}
    network = small()
    names = {name: found_value for (name, _), found_value in zip(network.named_parameters(), [None] * 6, strict=True)}
    assert len(found) == len(names) == 6
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.5 if parameter.ndim >= 2 else 0)
            assert group["lr"] == pytest.approx(1.0 if parameter.shape[0] == 4 else 0.1)


@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
def test_every_optimizer_finds_the_bottom_of_a_bowl(name):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2))
    x, y = torch.randn(64, 6), torch.randn(64, 2)
    optimizer = make_optimizer(network, Optimizer(name, lr=0.02, weight_decay=0.0))
    losses = []
    for step in range(200):
        loss = (network(x) - y).square().mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        set_learning_rate(optimizer, 0.02 * learning_rate(Schedule(), step, 200))
        optimizer.step()
    best = float((x @ torch.linalg.lstsq(x, y).solution - y).square().mean())
    assert losses[-1] < 1.2 * best < losses[0]


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 99))
def test_muon_makes_singular_values_one(rows, columns, seed):
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    made = orthogonalized(matrix)
    values = torch.linalg.svdvals(made)
    before = torch.linalg.svdvals(matrix)
    # values that are a thousandth of the largest grow too, but do not arrive in five steps
    assert bool((values[before > 0.05 * before[0]] > 0.5).all())
    assert bool((values < 1.3).all())
    cosine = (made * matrix).sum() / (made.norm() * matrix.norm())
    assert cosine > 0


def test_muon_leaves_zero_zero_and_splits_matrices_from_the_rest():
    assert torch.equal(orthogonalized(torch.zeros(3, 5)), torch.zeros(3, 5))
    optimizer = make_optimizer(small(), Optimizer("muon", lr=0.1))
    assert isinstance(optimizer, Muon)
    hidden = [p.shape for g in optimizer.param_groups if g["hidden"] for p in g["params"]]
    assert hidden == [torch.Size([8, 3, 3, 3])]  # the convolution; the head, norms and biases go by AdamW


def test_muons_other_half_is_adamw():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 1), nn.Linear(5, 1)
    theirs.load_state_dict(ours.state_dict())
    a = Muon([{"params": list(ours.parameters()), "hidden": False, "weight_decay": 0.1}], 0.01, 0.9, (0.9, 0.99))
    b = torch.optim.AdamW(theirs.parameters(), 0.01, (0.9, 0.99), weight_decay=0.1)
    for seed in range(20):
        x = torch.randn(8, 5, generator=torch.Generator().manual_seed(seed))
        for network, optimizer in ((ours, a), (theirs, b)):
            optimizer.zero_grad()
            network(x).square().sum().backward()
            optimizer.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)


def test_the_average_follows_and_is_put_away_again():
    network = small()
    average = Average(network, 0.5)
    before = network.head.weight.detach().clone()
    with torch.no_grad():
        network.head.weight += 1
        network.norm.running_mean += 2
    for _ in range(50):
        average.update()
    assert torch.allclose(average.values["head.weight"], before + 1, atol=1e-5)
    live = {n: v.clone() for n, v in network.state_dict().items()}
    with torch.no_grad():
        network.head.weight += 5
    moved = {n: v.clone() for n, v in network.state_dict().items()}
    with average.applied():
        assert torch.allclose(network.head.weight, before + 1, atol=1e-5)
    assert all(torch.equal(v, moved[n]) for n, v in network.state_dict().items())
    assert not torch.equal(live["head.weight"], moved["head.weight"])
