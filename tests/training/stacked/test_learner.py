from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from speedwell.core.errors import UsageError
from speedwell.core.signature import Signature, TensorSpec
from speedwell.networks.residual import residual
from speedwell.training.batch import Batch
from speedwell.training.learner import Learner
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.recipe import Distil, Loss, Optimizer, Recipe
from speedwell.training.stacked import StackedLearner

from .candidates import SIGNATURE, Branched, alone, batch_of, beyond, bound, furthest, mlp, weights_of

RATES = st.sampled_from([1e-3, 1e-2, 5e-2])
DISTILS = st.none() | st.builds(
    Distil, weight=st.sampled_from([0.0, 0.5, 1.0]), temperature=st.sampled_from([1.0, 3.0])
)
LOSSES = st.builds(Loss, smoothing=st.sampled_from([0.0, 0.1]), distil=DISTILS)


def recipes_of(name: str):
    optimizers = st.builds(
        Optimizer, name=st.just(name), lr=RATES, weight_decay=st.sampled_from([0.0, 0.5]),
        momentum=st.sampled_from([0.0, 0.9]), betas=st.sampled_from([(0.9, 0.999), (0.8, 0.9)]),
        head_lr=st.sampled_from([1.0, 3.0]),
    )  # fmt: skip
    return st.builds(
        Recipe, optimizer=optimizers, loss=LOSSES, clip=st.sampled_from([0.0, 0.5]), ema=st.sampled_from([0.0, 0.9]),
        seed=st.integers(0, 99),
    )  # fmt: skip


def batches_of(steps: int, first: int = 0) -> list[Batch]:
    return [batch_of(first + i) for i in range(steps)]


def train(learner: StackedLearner, batches) -> np.ndarray:
    """Losses [steps, K]."""
    rates = [r.optimizer.lr for r in learner.recipes]
    return np.array([learner.step(b, i, rates).losses for i, b in enumerate(batches)])


def assert_as_alone(networks, recipes, batches, teacher=None, each: bool = False) -> StackedLearner:
    """``each``: ``batches`` holds a list for every candidate."""
    solo = [
        alone(n, r, batches[k] if each else batches, teacher)
        for k, (n, r) in enumerate(zip(networks, recipes, strict=True))
    ]
    stacked = StackedLearner(networks, recipes, SIGNATURE, teacher)
    losses = train(stacked, list(zip(*batches, strict=True)) if each else batches)
    for k, (learner, alone_losses, norms) in enumerate(solo):
        want = weights_of(learner)
        largest = max(float(v.abs().max()) for v in want.values() if v.is_floating_point())
        most = bound(recipes[k], len(losses), largest, max(norms)) * max(1.0, recipes[k].optimizer.head_lr)
        weights = sum(v.numel() for v in want.values())
        few = 0 if recipes[k].optimizer.name == "sgd" else max(2, weights // 100)
        assert beyond(stacked.state(k), want, most) <= few
        assert np.allclose(losses[:, k], alone_losses, rtol=1e-4, atol=1e-5)
    return stacked


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@settings(max_examples=40, deadline=None)
@given(data=st.data(), hidden=st.lists(st.integers(4, 24), max_size=2), norm=st.sampled_from(["", "layer"]))
def test_each_candidate_ends_where_it_would_have_ended_alone(name, data, hidden, norm):
    recipes = data.draw(st.lists(recipes_of(name), min_size=1, max_size=4))
    networks = [mlp(r.seed, *hidden, norm=norm) for r in recipes]
    assert assert_as_alone(networks, recipes, batches_of(12), mlp(1000, 8)).by_hand


@settings(max_examples=15, deadline=None)
@given(recipes=st.lists(recipes_of("sgd"), min_size=2, max_size=4), widths=st.data())
def test_narrower_candidates_end_where_the_narrow_network_would_have_ended(recipes, widths):
    for norm in ("", "layer", "batch"):
        hidden = [widths.draw(st.tuples(st.integers(4, 20), st.integers(4, 20))) for _ in recipes]
        networks = [mlp(r.seed, *h, norm=norm, act=nn.GELU) for r, h in zip(recipes, hidden, strict=True)]
        assert_as_alone(networks, recipes, batches_of(8), mlp(1000, 8))


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_candidates_may_see_batches_of_their_own(name):
    recipes = [Recipe(optimizer=Optimizer(name, lr), loss=Loss(distil=Distil(0.5))) for lr in (1e-3, 1e-2, 5e-2)]
    batches = [batches_of(10, 100 * k) for k in range(3)]
    assert_as_alone([mlp(k, 9) for k in range(3)], recipes, batches, mlp(1000, 8), each=True)


@pytest.mark.parametrize("widths", [(16, 16, 16), (16, 7, 11)])
def test_dropout_hides_the_units_that_it_would_have_hidden_alone(widths):
    recipes = [Recipe(optimizer=Optimizer("sgd", 0.05), seed=s) for s in (3, 4, 5)]
    networks = [mlp(k, w, dropout=p) for k, (w, p) in enumerate(zip(widths, (0.5, 0.2, 0.0), strict=True))]
    assert_as_alone(networks, recipes, batches_of(10))


def test_any_other_network_is_vectorised_too():
    recipes = [Recipe(optimizer=Optimizer("sgd", lr), loss=Loss(smoothing=0.1)) for lr in (0.01, 0.02, 0.05)]
    for networks in ([Branched(k) for k in range(3)], [Branched(k, w) for k, w in enumerate((8, 3, 5))]):
        assert not assert_as_alone(networks, recipes, batches_of(10)).by_hand


def test_convolutions_with_batch_statistics_are_those_of_each_candidate():
    signature = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8)),), ())
    recipes = [Recipe(optimizer=Optimizer("sgd", 0.02, weight_decay=1e-3), seed=k) for k in range(2)]
    networks = [residual(4, (8, 8), channels=1, depth=8, width=w) for w in (6, 4)]
    rng = np.random.default_rng(0)
    batches = [
        Batch({"image": torch.from_numpy(rng.standard_normal((8, 1, 8, 8)).astype(np.float32))},
              torch.from_numpy(rng.integers(0, 4, 8)), np.arange(8))
        for _ in range(4)
    ]  # fmt: skip
    solo = [Learner(copy.deepcopy(n), ClassLoss(r.loss), r, signature) for n, r in zip(networks, recipes, strict=True)]
    stacked = StackedLearner(networks, recipes, signature)
    train(stacked, batches)
    for k, learner in enumerate(solo):
        for i, batch in enumerate(batches):
            learner.step(batch, 8, i, 0.02)
        assert furthest(stacked.state(k), weights_of(learner)) < 1e-5
    scores = stacked.outputs(batches[0].inputs)
    for k, learner in enumerate(solo):
        assert torch.allclose(scores[k], learner.network.eval()(batches[0].inputs["image"]), atol=1e-4)


def test_dropout_under_vmap_has_the_expectation_of_the_network():
    class Dropped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.5)
            self.head = nn.Linear(12, 5, bias=False)

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return self.head(self.drop(input)) + 0.0

    torch.manual_seed(0)
    networks = [Dropped() for _ in range(4)]
    for network in networks[1:]:
        network.load_state_dict(networks[0].state_dict())
    recipes = [Recipe(optimizer=Optimizer("sgd", 0.0, weight_decay=0.0), seed=k) for k in range(4)]
    stacked = StackedLearner(networks, recipes, SIGNATURE)
    batch = batch_of(0)
    drawn = torch.stack([stacked._forward(batch.inputs, False, i).detach() for i in range(2000)])
    want = networks[0].eval()(batch.inputs["input"])
    spread = drawn.std(dim=(0, 1)) / (2000 * 4) ** 0.5
    assert ((drawn.mean(dim=(0, 1)) - want).abs() <= 5 * spread + 1e-6).all()
    assert not torch.equal(drawn[0, 0], drawn[0, 1])


class TestGuard:
    def test_a_loss_that_is_not_finite_stops_its_candidate_alone(self):
        recipes = [Recipe(optimizer=Optimizer(lr=1e-2), ema=e) for e in (0.0, 0.9, 0.0)]
        networks = [mlp(k, 8, norm="batch") for k in range(3)]
        stacked = StackedLearner(networks, recipes, SIGNATURE)
        train(stacked, batches_of(3))
        with torch.no_grad():
            stacked.stack.parameters["3.weight"][1, 0, 0] = float("nan")
        before = [stacked.state(k) for k in range(3)]
        moments = stacked.updates.moments["first"]["0.weight"].clone()
        done = stacked.step(batch_of(9), 3, [1e-2] * 3)
        assert [s and s.where for s in done.skips] == [None, "loss", None]
        assert done.skips[1].samples == tuple(range(900, 916))
        assert np.isnan(done.losses).tolist() == [False, True, False]
        after = [stacked.state(k) for k in range(3)]
        assert all(torch.equal(before[1][n].nan_to_num(7), after[1][n].nan_to_num(7)) for n in after[1])
        assert torch.equal(moments[1], stacked.updates.moments["first"]["0.weight"][1])
        assert stacked.updates.counts == [4, 3, 4]
        for k in (0, 2):
            assert all(v.isfinite().all() for v in after[k].values())
            assert furthest(before[k], after[k]) > 0

    def test_a_candidate_goes_on_after_a_step_left_out_as_it_does_alone(self):
        recipe = Recipe(optimizer=Optimizer("sgd", 0.05))
        poisoned = batch_of(5)
        poisoned.inputs["input"][3, 2] = float("inf")
        own = [batch_of(0), poisoned, batch_of(2)]
        stacked = StackedLearner([mlp(0, 8), mlp(1, 8)], [recipe] * 2, SIGNATURE)
        skips = [
            stacked.step([a, b], i, [0.05] * 2).skips for i, (a, b) in enumerate(zip(own, batches_of(3), strict=True))
        ]
        assert [s[0] and (s[0].where, s[0].samples) for s in skips] == [None, ("input", (503,)), None]
        assert all(s[1] is None for s in skips)
        learner, _, norms = alone(mlp(0, 8), recipe, own)
        assert furthest(stacked.state(0), weights_of(learner)) <= bound(recipe, 3, 1.0, np.nanmax(norms))

    def test_a_shared_batch_with_a_fault_is_left_out_for_all(self):
        stacked = StackedLearner([mlp(0, 8), mlp(1, 8)], [Recipe()] * 2, SIGNATURE)
        before = stacked.state(0)
        labels = batch_of(0)
        labels.targets[1] = -1
        assert [s.where for s in stacked.step(labels, 0, [1.0, 1.0]).skips] == ["label", "label"]
        assert furthest(before, stacked.state(0)) == 0

    def test_a_retired_candidate_stays_as_it_is(self):
        stacked = StackedLearner([mlp(0, 8, norm="batch"), mlp(1, 8, norm="batch")], [Recipe()] * 2, SIGNATURE)
        stacked.retire(1)
        before = [stacked.state(k) for k in range(2)]
        done = stacked.step(batch_of(0), 0, [0.1, 0.1])
        assert np.isnan(done.losses).tolist() == [False, True]
        assert furthest(before[1], stacked.state(1)) == 0 < furthest(before[0], stacked.state(0))


class TestWhatDoesNotGo:
    def test_units_that_give_something_for_nothing_cannot_be_missing(self):
        networks = [mlp(0, 8, act=nn.Sigmoid), mlp(1, 4, act=nn.Sigmoid)]
        stacked = StackedLearner(networks, [Recipe()] * 2, SIGNATURE)
        before = stacked.stack.parameters["2.weight"].clone()
        with pytest.raises(UsageError, match=r"candidate 1 is narrower, and 2\.weight has a gradient beyond its width"):
            stacked.step(batch_of(0), 0, [0.1, 0.1])
        assert torch.equal(before, stacked.stack.parameters["2.weight"])

    def test_other_classes_cannot_be_stacked(self):
        few = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))
        stacked = StackedLearner([mlp(0, 8), few], [Recipe()] * 2, SIGNATURE)
        with pytest.raises(UsageError, match="candidate 1 does not answer in the stack as it does alone"):
            stacked.step(batch_of(0), 0, [0.1, 0.1])

    def test_counts_must_agree(self):
        with pytest.raises(UsageError, match="2 networks and 1 recipes"):
            StackedLearner([mlp(0), mlp(1)], [Recipe()], SIGNATURE)
        stacked = StackedLearner([mlp(0), mlp(1)], [Recipe()] * 2, SIGNATURE)
        with pytest.raises(UsageError, match="1 batches for 2 candidates"):
            stacked.step([batch_of(0)], 0, [0.1, 0.1])

    def test_freeze_must_name_something(self):
        with pytest.raises(UsageError, match="freeze names 'encoder'"):
            StackedLearner([mlp(0)], [Recipe(freeze=("encoder",))], SIGNATURE)
        with pytest.raises(UsageError, match="leaves nothing to train"):
            StackedLearner([mlp(0)], [Recipe(freeze=("0.",))], SIGNATURE)


def test_what_is_frozen_stays():
    recipes = [Recipe(optimizer=Optimizer(lr=1e-2), freeze=("0.",))] * 2
    stacked = assert_as_alone([mlp(0, 8), mlp(1, 8)], recipes, batches_of(4))
    assert torch.equal(stacked.state(1)["0.weight"], mlp(1, 8)[0].weight)
    assert not torch.equal(stacked.state(1)["2.weight"], mlp(1, 8)[2].weight)


def test_outputs_are_those_of_each_network_in_evaluation():
    recipes = [Recipe(optimizer=Optimizer(lr=1e-2), ema=e) for e in (0.0, 0.9)]
    stacked = StackedLearner([mlp(k, 8, norm="batch", dropout=0.5) for k in range(2)], recipes, SIGNATURE)
    train(stacked, batches_of(5))
    x = batch_of(99).inputs
    scores = stacked.outputs(x)
    for k in range(2):
        network = mlp(k, 8, norm="batch", dropout=0.5)
        network.load_state_dict(stacked.state(k))
        assert torch.allclose(scores[k], network.eval()(x["input"]), atol=1e-6)


def test_a_step_that_broke_off_leaves_no_gradient_behind():
    recipes = [Recipe(optimizer=Optimizer("sgd", 0.05))] * 2
    stacked, clean = (StackedLearner([mlp(0, 8), mlp(1, 8)], recipes, SIGNATURE) for _ in range(2))
    for parameter in stacked.stack.parameters.values():
        parameter.grad = torch.ones_like(parameter)
    for learner in (stacked, clean):
        learner.step(batch_of(0), 0, [0.05] * 2)
    assert all(furthest(stacked.state(k), clean.state(k)) == 0 for k in range(2))
