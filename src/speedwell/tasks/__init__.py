"""What a model is for: how data is read, how samples become inputs, how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..core.model import Model
from ..core.protocols import Task
from ..core.registry import Registry
from .classification import Classification, class_scores
from .custom import Custom
from .guess import guess_task
from .image_classification import ImageClassification
from .image_settings import IMAGE_OPTIONS
from .letterbox_settings import DETECTION_OPTIONS
from .object_detection import ObjectDetection
from .reading import check_labels, read_data, read_options
from .text_classification import TextClassification
from .text_settings import TEXT_OPTIONS

__all__ = [
    "DETECTION_OPTIONS", "IMAGE_OPTIONS", "REGISTRY", "TEXT_OPTIONS", "Classification", "Custom",
    "ImageClassification", "ObjectDetection", "TextClassification", "build", "build_detection", "check_labels",
    "class_scores", "guess_task", "read_data", "read_options",
]  # fmt: skip

KINDS = (ImageClassification, ObjectDetection, TextClassification, Custom)
REGISTRY: Registry[Task] = Registry(
    "speedwell.tasks",
    # cast: mypy takes a frozen record's ClassVar for no attribute of the protocol; the conformance suite checks it
    [(kind.name, cast(Callable[[], Task], kind)) for kind in KINDS],
)


def build(
    name: str, options: Mapping[str, Any], model: Model | None = None, size: tuple[int, int] | None = None
) -> Task:
    """The task ``name``, configured with ``options`` (threshold, output, score, ...) where it can be; with ``model``
    also with what the model says of its own outputs, fed pictures of ``size`` (height, width).

    Raises ``UnknownNameError``, or ``UsageError`` for options with bad values.
    """
    if name == ObjectDetection.name and model is not None:
        return cast(Task, build_detection(options, model, size))
    task = REGISTRY.get(name)
    configured = getattr(task, "configured", None)
    made: Task = task if configured is None else configured(options)
    return made


def build_detection(options: Mapping[str, Any], model: Model, size: tuple[int, int] | None = None) -> ObjectDetection:
    """Object detection as ``model`` and ``options`` have it; see ``build``."""
    return ObjectDetection().configured(options).of_model(model, options, size)
