"""Image classification: encoded images, arrays or prepared tensors in, one class out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..core.errors import DataError, UnsupportedModelError
from ..core.model import Model
from ..inputs import ImageTransform, Samples
from .classification import Classification
from .image_settings import image_transform, sample_image_options

__all__ = ["ImageClassification"]


@dataclass(frozen=True)
class ImageClassification(Classification):
    """Reads a folder per class, npz, parquet, Hugging Face data sets and live data."""

    name: ClassVar[str] = "image-classification"

    def read(self, data: Any, options: Mapping[str, Any]) -> Samples:
        """As ``Classification.read``; texts are refused with a ``DataError``."""
        samples = super().read(data, options)
        if isinstance(_first_raw(samples), (str, tuple)):
            raise DataError(
                f"the data holds texts, not images ({samples.origins[0]})",
                "Use --task text-classification, or name the column of the images with --image-column.",
            )
        return samples

    def transform(self, model: Model, options: Mapping[str, Any]) -> ImageTransform:
        """See ``image_transform``: options, then the model's hints, its signature, the samples, defaults."""
        refuse_other_problems(model)
        return image_transform(model, options)

    def sample_options(self, samples: Samples) -> dict[str, Any]:
        """{"samples": {...}}: what the samples say of sizes, for ``transform``; empty where they differ."""
        seen = sample_image_options(samples)
        return {"samples": seen} if seen else {}


def refuse_other_problems(model: Model) -> None:
    """Raise ``UnsupportedModelError`` for a model that says it is for several labels at once, or for regression."""
    if problem := model.origin.hints.get("problem"):
        raise UnsupportedModelError(
            f"the model says that it is for {str(problem).replace('_', ' ')}, which has no single right class",
            "Use --task custom with your own score per sample (--score module:function).",
        )


def _first_raw(samples: Samples) -> Any:
    from ..core.errors import CorruptSampleError

    for i in range(min(len(samples), 8)):
        try:
            return samples[i].raw
        except CorruptSampleError:
            continue  # counted when the splits are made
    return None
