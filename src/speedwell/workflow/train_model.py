"""The network that a training begins with, and the preprocessing that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import UsageError
from ..core.model import Model
from ..core.protocols import Task
from ..core.record import encode
from ..inputs import LetterboxTransform, Samples, TextTransform, Transform
from ..networks import NETWORKS
from ..sources import new_model
from ..training.vocabulary import learn_tokenizer
from .train_data import pixel_statistics
from .train_settings import TrainSettings

__all__ = ["begin", "hints_of"]

MOST_CLASSES = 100_000


def begin(
    settings: TrainSettings, task: Task, samples: Samples, train: np.ndarray, folder: Path, seed: int
) -> tuple[Model, Transform]:
    """The model, random where nothing gives its weights, and its transform. ``folder`` keeps the payload.

    A built-in network is fitted to the data: classes, image size, channels, or a vocabulary learnt from the training
    texts (never from what is judged by).
    """
    import torch

    torch.manual_seed(seed)
    classes = samples.classes or tuple(str(i) for i in range(int(samples.targets.max()) + 1))
    if not 1 <= len(classes) <= MOST_CLASSES:
        raise UsageError(f"the data has {len(classes)} classes", "Training needs at least two, and not this many.")
    options = dict(settings.options)
    arguments = dict(settings.arguments)
    seen = task.sample_options(samples)
    if settings.network in NETWORKS:
        arguments, options = _fitted(settings.network, arguments, options, seen, samples, train, folder)
    weights = Path(settings.weights) if settings.weights else None
    model = new_model(settings.network, folder, classes, arguments, weights)
    told = {**options, **seen}
    if settings.network in NETWORKS and NETWORKS[settings.network][0] != "text-classification":
        told = {**pixel_statistics(samples, train, model, task, told), **told}
    return model, task.transform(model, told)


def hints_of(model: Model, transform: Transform, classes: tuple[str, ...], saved: Path) -> dict[str, Any]:
    """What the trained model is to say of its preprocessing: the very transform that it was trained with, of which
    ``saved`` is the folder.
    """
    hints: dict[str, Any] = {k: v for k, v in model.origin.hints.items() if k not in ("image", "text", "classes")}
    if isinstance(transform, TextTransform):
        hints["text"] = {"tokenizer": str(saved / "tokenizer.json"), "max_length": transform.max_length}
    elif transform.kind != "arrays":
        record = encode({f.name: getattr(transform, f.name) for f in fields(transform) if f.name != "assumed"})
        hints["image"] = {k: v for k, v in record.items() if k != "input" and v is not None}
        if isinstance(transform, LetterboxTransform):
            hints["image"]["resize"] = "letterbox"
    if classes:
        hints["classes"] = list(classes)
    return hints


def _fitted(
    network: str,
    arguments: dict[str, Any],
    options: dict[str, Any],
    seen: Mapping[str, Any],
    samples: Samples,
    train: np.ndarray,
    folder: Path,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of a built-in network and options of its preprocessing that the user left open."""
    if NETWORKS[network][0] == "text-classification":
        length = int(options.get("max_length") or arguments.get("length") or 128)
        if not options.get("tokenizer"):
            texts = (samples[int(i)].raw for i in train)
            options["tokenizer"] = str(learn_tokenizer(texts, folder / "tokenizer.json"))
        from tokenizers import Tokenizer

        arguments.setdefault("vocabulary", Tokenizer.from_file(options["tokenizer"]).get_vocab_size())
        arguments.setdefault("length", length)
        return arguments, {**options, "max_length": length}
    size = arguments.get("size") or options.get("size") or dict(seen.get("samples") or {}).get("size")
    if size is None:
        raise UsageError("the images are of many sizes", "Name the size that the network sees: --size 96x96")
    size = [size, size] if isinstance(size, int) else [int(s) for s in size]
    arguments["size"] = size
    options["size"] = size
    if network in ("residual", "mobile"):
        gray = options.get("colour") == "gray" or (
            "colour" not in options and dict(seen.get("samples") or {}).get("channels") == 1
        )
        arguments.setdefault("channels", 1 if gray else 3)
        if arguments["channels"] == 1:
            options["colour"] = "gray"
    return arguments, options
