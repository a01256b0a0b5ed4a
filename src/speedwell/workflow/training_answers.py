"""Samples of the judged split that a trained network got wrong, surest first, and some that it got right."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..inputs import EncodedSplit, TextTransform
from ..report import ShownSample
from ..report.training_page import Answered
from ..tasks import class_scores

__all__ = ["answered"]

MOST = 12
"""Of each kind."""


def answered(
    split: EncodedSplit, outputs: dict[str, np.ndarray], index: np.ndarray, task: Any, classes: Sequence[str], seed: int
) -> list[Answered]:
    """At most ``MOST`` wrong and as many right answers. ``outputs``: of the samples ``index`` of ``split``, in order.
    ``seed`` chooses the right ones. Empty for a task whose answers are no classes.
    """
    if task.name not in ("image-classification", "text-classification"):
        return []
    scores = class_scores(outputs, task.output, len(index))
    if scores.ndim == 1:
        scores = np.stack([np.full(len(scores), task.threshold), scores], axis=1)
    answers = scores.argmax(axis=1)
    sure = _softmax(scores)[np.arange(len(scores)), answers]
    targets = split.targets[index]
    wrong = np.flatnonzero(answers != targets)
    right = np.flatnonzero(answers == targets)
    chosen = [
        *wrong[np.argsort(-sure[wrong], kind="stable")][:MOST].tolist(),
        *np.random.default_rng(seed).permutation(right)[:MOST].tolist(),
    ]

    def name(label: int) -> str:
        return classes[label] if 0 <= label < len(classes) else str(label)

    return [
        Answered(
            ShownSample(
                original="",
                winner=f"{name(int(answers[k]))}, {100 * sure[k]:.0f} %",
                truth=name(int(targets[k])),
                **_seen(split, int(index[k])),
            ),
            bool(answers[k] == targets[k]),
        )
        for k in chosen
    ]


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponents = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    made: np.ndarray = exponents / exponents.sum(axis=1, keepdims=True)
    return made


def _seen(split: EncodedSplit, i: int) -> dict[str, Any]:
    """The sample as the network met it: an enlarged picture, or the words of its tokens."""
    encoded = split.encoded(i)
    if isinstance(split.transform, TextTransform):
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(split.transform.tokenizer)
        return {"text": str(tokenizer.decode(np.asarray(encoded["ids"]).tolist(), skip_special_tokens=True)).strip()}
    if "pixels" not in encoded:
        return {"text": split.origins[i]}
    from PIL import Image

    pixels = np.asarray(encoded["pixels"])
    if getattr(split.transform, "colour", "rgb") == "bgr":
        pixels = pixels[..., ::-1]
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))
    if max(image.size) < 160:  # pixels of a tiny picture as squares, not as a blur
        factor = 160 // max(image.size) or 1
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {"image": buffer.getvalue(), "text": split.origins[i]}
