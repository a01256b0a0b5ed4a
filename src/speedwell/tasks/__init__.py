"""What a model is for: how data is read, how samples become inputs, how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..core.protocols import Task
from ..core.registry import Registry
from .classification import Classification, class_scores
from .custom import Custom
from .guess import guess_task
from .image_classification import ImageClassification
from .image_settings import IMAGE_OPTIONS
from .reading import check_labels, read_data, read_options
from .text_classification import TextClassification
from .text_settings import TEXT_OPTIONS

__all__ = [
    "IMAGE_OPTIONS", "REGISTRY", "TEXT_OPTIONS", "Classification", "Custom", "ImageClassification",
    "TextClassification", "build", "check_labels", "class_scores", "guess_task", "read_data", "read_options",
]  # fmt: skip

REGISTRY: Registry[Task] = Registry(
    "speedwell.tasks",
    # cast: mypy takes a frozen record's ClassVar for no attribute of the protocol; the conformance suite checks it
    [(kind.name, cast(Callable[[], Task], kind)) for kind in (ImageClassification, TextClassification, Custom)],
)


def build(name: str, options: Mapping[str, Any]) -> Task:
    """The task ``name``, configured with ``options`` (threshold, output, score, ...) where it can be.

    Raises ``UnknownNameError``, or ``UsageError`` for options with bad values.
    """
    task = REGISTRY.get(name)
    configured = getattr(task, "configured", None)
    made: Task = task if configured is None else configured(options)
    return made
