"""Text classification: strings, or pairs of strings, in, one class out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.errors import DataError
from ..core.model import Model
from ..inputs import Samples, TextTransform
from .classification import Classification
from .image_classification import refuse_other_problems
from .text_settings import text_transform

__all__ = ["TextClassification"]


@dataclass(frozen=True)
class TextClassification(Classification):
    """Reads csv, tsv, JSON, JSON lines, parquet, Hugging Face data sets and live data."""

    name: ClassVar[str] = "text-classification"

    def read(self, data: Any, options: Mapping[str, Any]) -> Samples:
        """As ``Classification.read``; anything but texts is refused with a ``DataError``."""
        samples = super().read(data, options)
        raw = samples[0].raw if len(samples) else ""
        pair = isinstance(raw, (tuple, list)) and len(raw) == 2 and all(isinstance(t, str) for t in raw)
        if not isinstance(raw, str) and not pair:
            raise DataError(
                f"the data holds {type(raw).__name__}, not texts ({samples.origins[0]})",
                "Use --task image-classification, or name the column of the texts with --text-column.",
            )
        return samples

    def transform(self, model: Model, options: Mapping[str, Any]) -> TextTransform:
        """See ``text_transform``: options, then the model's hints, its signature, the tokenizer, defaults."""
        refuse_other_problems(model)
        return text_transform(model, options)

    def sample_options(self, samples: Samples) -> dict[str, Any]:  # noqa: ARG002 - the same method on every task
        """Texts say nothing of the inputs' shape."""
        return {}
