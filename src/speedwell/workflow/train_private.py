"""What a private training does otherwise than an ordinary one: before, around and after the loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ..core.errors import PrivacyError
from ..core.signature import Signature
from ..networks import NETWORKS
from ..training import BatchMaker, Ranks
from ..training.private import PoissonLoader, PrivateLearner, Secret, Spent
from ..training.recipe import Recipe
from .train_settings import TrainSettings

__all__ = ["KEY", "finished", "private_index", "private_parts", "private_settings"]

KEY = "private.key"
MIDDLE = 0.5
"""Mean and deviation of pixels in 0..1 where none are given: constants, because statistics would be of the data."""


def private_settings(settings: TrainSettings, recipe: Recipe) -> TrainSettings:
    """``settings`` under which nothing is learnt from the samples without noise. Raises ``PrivacyError``."""
    if settings.validation is None and (recipe.stop.target or recipe.stop.patience):
        raise PrivacyError(
            "stop.target and stop.patience look at validation samples, and none are named: those cut from the data "
            "are to be protected",
            "Name samples that need no protection with --validation, or leave both out.",
        )
    if settings.network not in NETWORKS:
        return settings
    if NETWORKS[settings.network][0] == "text-classification":
        if not settings.options.get("tokenizer"):
            raise PrivacyError(
                "the vocabulary would be learnt from the private texts, word by word, and go along with the model",
                "Name one made from other texts with --tokenizer.",
            )
        return settings
    return dataclasses.replace(settings, options={"mean": MIDDLE, "std": MIDDLE, **settings.options})


def private_index(settings: TrainSettings, index: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where no validation samples are named, none are looked at: those that were cut off (but one, as a split has to
    hold something) are trained on.
    """
    if settings.validation is not None:
        return dict(index)
    held = index["validation"]
    return {**index, "train": np.concatenate([index["train"], held[1:]]), "validation": held[:1]}


def private_parts(
    folder: Path,
    make: BatchMaker,
    samples: int,
    network: nn.Module,
    loss: Any,
    recipe: Recipe,
    signature: Signature,
    teacher: nn.Module | None,
    ranks: Ranks,
    say: Callable[[str], None],
) -> tuple[PrivateLearner, PoissonLoader]:
    """The learner and the loader, of one key, which ``folder`` keeps until ``finished``."""
    assert recipe.privacy is not None, "asked only of a private recipe"
    secret = Secret.open(folder / KEY) if recipe.privacy.secure else Secret.of_seed(recipe.seed)
    learner = PrivateLearner(network, loss, recipe, signature, teacher, ranks, say, secret=secret)
    return learner, PoissonLoader(make, samples, recipe.batch, secret)


def finished(folder: Path, learner: PrivateLearner, steps: int, settings: TrainSettings) -> Spent:
    """The guarantee; the key is forgotten."""
    spent = learner.spent(steps, tuple(_assumed(settings, learner.recipe)))
    Secret.forget(folder / KEY)
    return spent


def _assumed(settings: TrainSettings, recipe: Recipe) -> list[str]:
    """What epsilon does not cover, in words."""
    told = [
        "one training sample is protected, not one person: for somebody with k samples epsilon is k times as large, "
        "and delta larger still",
        "taken as public: how many training samples there are, how they were cut from the data, the names of classes "
        "and the size of inputs",
        "only model/ may be given away: all else in the folder holds the data or numbers without noise",
    ]
    if settings.validation is not None:
        told.append("validation samples are not protected: which weights are kept, and their score, come from them")
    if settings.test is not None:
        told.append("test samples are not protected: their score has no noise")
    if settings.teacher is not None:
        told.append(
            f"the teacher {settings.teacher} is taken as public: if it learnt from these samples without privacy, "
            "what it passes on is not covered"
        )
    if settings.weights is not None or settings.network not in NETWORKS:
        told.append(
            "the weights and preprocessing begun from are taken as public: they must not stem from these samples"
        )
    if recipe.privacy is not None and not recipe.privacy.secure:
        told.append("noise and sampling follow from the seed: whoever knows it is not bound by epsilon")
    return told
