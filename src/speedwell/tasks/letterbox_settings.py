"""How pictures become a detector's input: letterboxed unless the user or the model says that they are stretched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import UsageError
from ..core.model import Model
from ..inputs import ImageTransform, LetterboxTransform
from .image_settings import IMAGE_OPTIONS, image_facts

__all__ = ["DETECTION_OPTIONS", "detection_transform"]

DETECTION_OPTIONS = IMAGE_OPTIONS - {"resize_to", "crop"} | {"fill", "center", "upscale"}


def detection_transform(model: Model, options: Mapping[str, Any]) -> LetterboxTransform | ImageTransform:
    """The declared transform; what was guessed is on its ``assumed``, in words.

    ``options``: ``DETECTION_OPTIONS``, ``preprocessing`` (a JSON file or mapping of them) and ``samples``, as
    ``image_transform`` takes them. ``resize``: "letterbox" or "stretch". Raises ``UsageError`` (no size known, bad
    values, a crop: it would cut objects off), ``InputMismatchError`` where words and signature contradict each other.
    """
    for name in ("crop", "resize_to"):
        if options.get(name) is not None:
            raise UsageError(
                f"{name} is {options[name]!r}, but a detector sees whole pictures",
                "Use --resize letterbox, or --resize stretch.",
            )
    facts = image_facts(model, options, DETECTION_OPTIONS)
    said, assumed, (height, width) = facts.said, facts.assumed, facts.record["size"]
    resize = str(said.get("resize") or "letterbox")
    border = {name: said[name] for name in ("fill", "center", "upscale") if name in said}
    if resize == "stretch":
        if border:
            raise UsageError(f"{', '.join(border)} with resize stretch", "A stretched picture has no border.")
        return ImageTransform(**facts.record, resize="stretch", crop="none", assumed=tuple(assumed))
    if resize != "letterbox":
        raise UsageError(f"resize is {resize!r}", "A detector's pictures are letterboxed or stretched.")
    if "resize" not in said:
        assumed.append(f"no resize given: pictures are letterboxed into {height}x{width} (--resize stretch if not)")
    return LetterboxTransform(**facts.record, **border, assumed=tuple(assumed))
