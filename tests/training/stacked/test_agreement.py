from __future__ import annotations

import operator

import pytest

from speedwell.core.errors import UsageError
from speedwell.training.recipe import Augment, Distil, Loss, Optimizer, Recipe, Schedule, Stop
from speedwell.training.stacked.agreement import FREE, check_recipes

OTHER = Recipe(
    seed=1, clip=1.0, ema=0.5, schedule=Schedule("linear", 0.1, 0.2),
    optimizer=Optimizer("adamw", 0.5, 0.1, 0.2, (0.8, 0.9), 3.0),
    loss=Loss("cross-entropy", 0.1, 1.0, Distil(0.3, 7.0)), stop=Stop(target=0.9, patience=3, diverged=7.0),
)  # fmt: skip


def test_candidates_may_differ_in_all_that_is_free():
    check_recipes([Recipe(loss=Loss(distil=Distil())), OTHER])
    for name in FREE:
        value = operator.attrgetter(name)
        assert value(Recipe(loss=Loss(distil=Distil()))) != value(OTHER), f"{name} is not tried"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (Recipe(optimizer=Optimizer("sgd")), "optimizer.name"),
        (Recipe(loss=Loss("focal")), "loss.name"),
        (Recipe(augment=Augment(flip=True)), "augment"),
        (Recipe(batch=32), "batch"),
        (Recipe(freeze=("0.",)), "freeze"),
        (Recipe(stop=Stop(epochs=3)), "stop.epochs"),
        (Recipe(stop=Stop(steps=3)), "stop.steps"),
        (Recipe(validate_every=2.0), "validate_every"),
    ],
)
def test_what_must_agree_is_named(changed, named):
    with pytest.raises(UsageError, match=f"candidates differ in {named}: "):
        check_recipes([Recipe(), Recipe(), changed])


def test_hard_and_soft_distillation_do_not_mix():
    with pytest.raises(UsageError, match=r"loss\.distil\.hard"):
        check_recipes([Recipe(loss=Loss(distil=Distil(hard=hard))) for hard in (True, False)])


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        (Recipe(optimizer=Optimizer("muon")), "muon"),
        (Recipe(precision="bfloat16"), "bfloat16"),
        (Recipe(accumulation=2), "accumulation 2"),
        (Recipe(loss=Loss(distil=Distil(features=1.0, layers=("a",)))), "layers"),
        (Recipe(stop=Stop(minutes=1.0)), "minutes"),
        (Recipe(compile=True), "compile"),
    ],
)
def test_what_one_batch_cannot_do_is_refused(recipe, named):
    with pytest.raises(UsageError, match=f"{named}.* does not go with candidates in one batch"):
        check_recipes([recipe])


def test_no_candidate_is_an_error():
    with pytest.raises(UsageError, match="there is no candidate"):
        check_recipes([])
