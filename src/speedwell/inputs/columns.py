"""Which column of a table holds the texts, the images, the labels; and how rows become samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import DataError

__all__ = ["IMAGE_NAMES", "LABEL_NAMES", "TEXT_NAMES", "Columns", "choose_columns", "choose_image"]

TEXT_NAMES = ("text", "sentence", "utterance", "question", "query", "content", "review", "comment", "message",
              "document", "body", "description", "title", "input", "prompt", "tweet")  # fmt: skip
LABEL_NAMES = ("label", "labels", "category", "intent", "class", "target", "sentiment", "topic", "y", "fine_label",
               "coarse_label", "label_text", "rating", "stars")  # fmt: skip
IMAGE_NAMES = ("image", "img", "picture", "photo", "jpg", "png")


@dataclass(frozen=True)
class Columns:
    """Names of columns. ``inputs``: one, or two that make a pair of texts. ``label`` is "" where unlabelled."""

    inputs: tuple[str, ...]
    label: str
    image: bool


def choose_columns(names: Sequence[str], where: str, text: str = "", label: str = "", image: str = "") -> Columns:
    """From the user's names (``text`` may be two, "premise,hypothesis"), else by usual names, else by exclusion.

    Raises ``DataError`` listing the columns there are.
    """
    inputs: tuple[str, ...]
    if image or (not text and (found := _usual(names, IMAGE_NAMES))):
        inputs, is_image = ((image or found),), True
    else:
        inputs = tuple(part.strip() for part in text.split(",")) if text and text not in names else (text,)
        if not text:
            inputs = (_usual(names, TEXT_NAMES) or _other(names, label or _usual(names, LABEL_NAMES)),)
        is_image = False
    label = label or _usual([n for n in names if n not in inputs], LABEL_NAMES)
    if not label and not text and not image:
        label = _other(names, inputs[0])
    for name, option in [*((i, "image" if is_image else "text") for i in inputs), (label, "label")]:
        if name not in names and not (option == "label" and not name):
            raise DataError(
                f"{where} has no {option} column" + (f" named {name!r}" if name else " that can be told")
                + f"; its columns are: {', '.join(names)}",
                f"Name it with --{option}-column.",
            )  # fmt: skip
    if len(inputs) > 2:
        raise DataError(f"{len(inputs)} text columns were named", "Name one, or two for pairs of texts.")
    return Columns(inputs, label, is_image)


def choose_image(names: Sequence[str], where: str, image: str = "") -> str:
    """The column of images: the user's, else by usual names. Raises ``DataError`` listing the columns there are."""
    found = image or _usual(names, IMAGE_NAMES)
    if found not in names:
        raise DataError(
            f"{where} has no image column" + (f" named {found!r}" if found else " that can be told")
            + f"; its columns are: {', '.join(names)}",
            "Name it with --image-column.",
        )  # fmt: skip
    return found


def _usual(names: Sequence[str], known: Sequence[str]) -> str:
    lower = {n.strip().lower(): n for n in reversed(names)}
    return next((lower[k] for k in known if k in lower), "")


def _other(names: Sequence[str], one: str) -> str:
    """The other column of two."""
    return next(n for n in names if n != one) if len(names) == 2 and one in names else ""
