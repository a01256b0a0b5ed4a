from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from speedwell.core.errors import UsageError
from speedwell.training.recipe import Distil, Loss, Optimizer, Recipe
from speedwell.training.stacked import SharedLearner, SharedTeacher

from .candidates import SIGNATURE, Branched, alone, batch_of, mlp, weights_of


class Counted(nn.Module):
    """A teacher that knows how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.asked = mlp(1000, 8), 0

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return self.inner(input)


RECIPES = [
    Recipe(optimizer=Optimizer("sgd", 0.05), loss=Loss(distil=Distil(0.5, 2.0)), seed=1),
    Recipe(optimizer=Optimizer("adamw", 1e-2), loss=Loss(distil=Distil(0.9, 4.0)), ema=0.9, seed=2),
    Recipe(optimizer=Optimizer("muon", 1e-2), loss=Loss(smoothing=0.1), accumulation=4, seed=3),
]


def networks() -> list[nn.Module]:
    return [mlp(0, 8, dropout=0.3), mlp(1, 20, 6, norm="batch"), Branched(2)]


def test_each_candidate_is_bit_for_bit_what_it_would_be_alone():
    batches = [batch_of(i) for i in range(6)]
    shared = SharedLearner(networks(), RECIPES, SIGNATURE, Counted())
    losses = np.array([shared.step(b, i, [r.optimizer.lr for r in RECIPES]).losses for i, b in enumerate(batches)])
    for k, network in enumerate(networks()):
        learner, alone_losses, _ = alone(network, RECIPES[k], batches, Counted())
        want = weights_of(learner)
        found = shared.state(k)
        assert all(torch.equal(found[n], v) for n, v in want.items())
        assert losses[:, k].tolist() == alone_losses


def test_the_teacher_answers_a_batch_once_for_all_candidates():
    teacher = Counted()
    plain = [r for r in RECIPES if r.accumulation == 1]
    shared = SharedLearner(networks()[:2], plain, SIGNATURE, teacher)
    for i in range(5):
        shared.step(batch_of(i), i, [0.01, 0.01])
    assert teacher.asked == 5


def test_a_teacher_never_takes_one_tensor_for_another():
    teacher = SharedTeacher(Counted(), SIGNATURE)
    for i in range(50):
        x = torch.full((4, 12), float(i))  # freed at once: the next one may lie where it lay
        assert torch.equal(teacher(input=x)["output"], teacher.teacher.inner(x))
    whole = torch.randn(8, 12)
    halves = [teacher(input=whole[:4])["output"], teacher(input=whole[4:])["output"]]
    assert torch.equal(torch.cat(halves), torch.cat([teacher.teacher.inner(h) for h in (whole[:4], whole[4:])]))


def test_a_retired_candidate_stays_and_costs_nothing():
    shared = SharedLearner(networks(), RECIPES, SIGNATURE, Counted())
    before = shared.state(1)
    shared.retire(1)
    done = shared.step(batch_of(0), 0, [0.1] * 3)
    assert np.isnan(done.losses).tolist() == [False, True, False]
    assert all(torch.equal(shared.state(1)[n], v) for n, v in before.items())


def test_a_fault_in_one_candidate_is_told_of_it_alone():
    shared = SharedLearner(networks(), RECIPES, SIGNATURE, Counted())
    with torch.no_grad():
        next(shared.learners[0].network.parameters()).fill_(float("nan"))
    done = shared.step(batch_of(0), 0, [0.1] * 3)
    assert [s and s.where for s in done.skips] == ["loss", None, None]


def test_outputs_are_those_of_the_networks_in_evaluation():
    shared = SharedLearner(networks(), RECIPES, SIGNATURE, Counted())
    shared.step(batch_of(0), 0, [0.1] * 3)
    x = batch_of(7).inputs
    scores = shared.outputs(x)
    for k, network in enumerate(networks()):
        network.load_state_dict(shared.state(k))
        assert torch.equal(scores[k], network.eval()(x["input"]))


def test_hidden_layers_of_a_shared_teacher_are_refused():
    watched = Recipe(loss=Loss(distil=Distil(features=1.0, layers=("0",))))
    with pytest.raises(UsageError, match="layers does not go with a shared teacher"):
        SharedLearner([mlp(0, 8)], [watched], SIGNATURE, mlp(1, 8))
