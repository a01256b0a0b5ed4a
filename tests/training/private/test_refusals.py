from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from speedwell.core.errors import PrivacyError, UsageError
from speedwell.networks import build_network
from speedwell.training.loader import Loader
from speedwell.training.losses.detection import DetectionLoss
from speedwell.training.parallel import Ranks
from speedwell.training.private import PoissonLoader, Secret
from speedwell.training.recipe import Augment, Distil, Loss, Privacy, Recipe

from .conftest import maker, numbers, plain, private_learner, private_recipe


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(image[:, 0])[0][:, -1])


@pytest.mark.parametrize("name", ["residual", "mobile"])
def test_batch_norm_is_refused_by_name_with_what_to_put_there(name):
    network = build_network(name, classes=10, size=[32, 32], channels=1)
    with pytest.raises(PrivacyError, match=r"(stem|features\.0)\.1, .* and \d+ more") as caught:
        private_learner(network=network)
    assert "norm=group" in caught.value.fix
    assert "ModuleValidator.fix" in caught.value.fix


def test_the_fix_that_is_named_works():
    from opacus.validators import ModuleValidator

    fixed = ModuleValidator.fix(build_network("residual", classes=10, size=[8, 8], channels=1, depth=8))
    private_learner(network=fixed)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Recurrent(), r"rnn \(LSTM\)"),
        (nn.Sequential(nn.MultiheadAttention(8, 2)), r"0 \(MultiheadAttention\)"),
        (nn.Sequential(nn.InstanceNorm2d(1, affine=True, track_running_stats=True)), "running statistics"),
    ],
)
def test_layers_that_cannot_be_taken_apart_are_named(network, words):
    with pytest.raises(PrivacyError, match=words):
        private_learner(network=network)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"compile": True}, "compile"),
        ({"precision": "bfloat16"}, "bfloat16"),
        ({"augment": Augment(mosaic=0.5)}, "mosaic"),
        ({"loss": Loss(distil=Distil(features=1.0, layers=("1",)))}, "features is 1"),
        ({"loss": Loss(distil=Distil(attention=1.0, layers=("2:1", "1")))}, "looks at what 1 gives"),
    ],
)
def test_settings_that_void_it_are_refused(changes, words):
    with pytest.raises(PrivacyError, match=words):
        private_learner(private_recipe(**changes))


def test_the_loss_of_detection_and_several_processes_are_refused():
    with pytest.raises(PrivacyError, match="objects of the whole batch"):
        private_learner(loss=DetectionLoss((64, 64)))
    with pytest.raises(PrivacyError, match="2 processes"):
        private_learner(ranks=Ranks(0, 2))


def test_a_recipe_without_privacy_is_refused():
    with pytest.raises(PrivacyError, match="no privacy"):
        private_learner(Recipe())


def test_batches_that_are_not_poisson_are_refused():
    learner = private_learner()
    make = maker(*numbers())
    with pytest.raises(PrivacyError, match="come from a Loader"):
        learner.begin(Loader(make, 160, 16, 0, lengths=np.arange(160)), 10)
    with pytest.raises(PrivacyError, match="another batch or key"):
        learner.begin(PoissonLoader(make, 160, 8, learner.secret), 10)
    with pytest.raises(PrivacyError, match="another batch or key"):
        learner.begin(PoissonLoader(make, 160, 16, Secret.of_seed(7)), 10)
    with pytest.raises(PrivacyError, match=r"delta is 0\.1 with 160"):
        private_learner(private_recipe(privacy=Privacy(noise=1.0, delta=0.1))).begin(
            PoissonLoader(make, 160, 16, learner.secret), 10
        )


@pytest.mark.parametrize(
    ("privacy", "words"),
    [
        (Privacy(), "epsilon is 0 and privacy.noise 0"),
        (Privacy(epsilon=1.0, noise=1.0), "Give one of them"),
        (Privacy(epsilon=-1.0), "privacy.epsilon"),
        (Privacy(noise=0.01), "privacy.noise"),
        (Privacy(noise=1.0, delta=1.0), "privacy.delta"),
        (Privacy(noise=1.0, max_grad_norm=0.0), "max_grad_norm"),
    ],
)
def test_values_out_of_range_are_named(privacy, words):
    with pytest.raises(UsageError, match=words):
        Recipe(privacy=privacy)


def test_privacy_is_a_table_of_the_recipe_file():
    import tomllib

    from speedwell.core.record import encode
    from speedwell.training.recipe_file import merged, write_recipe

    made = merged(Recipe(), {"privacy": {"epsilon": 8, "secure": False}})
    assert made.privacy == Privacy(epsilon=8.0, secure=False)
    assert merged(Recipe(), tomllib.loads(write_recipe(encode(made)))) == made
    assert merged(made, {"privacy": {"max_grad_norm": 0.5}}).privacy == Privacy(8.0, max_grad_norm=0.5, secure=False)
    with pytest.raises(UsageError, match=r"privacy\.sigma"):
        merged(Recipe(), {"privacy": {"sigma": 1.0}})


def test_a_plain_network_is_taken():
    assert private_learner(network=plain()).layout is None
