"""A picture with what one model found in it: the objects as a thin white line, boxes that the other model lacks thick.

Blue and vermilion are told apart by every kind of colour vision (Okabe and Ito 2008, "Color Universal Design"); a dark
edge under each line keeps it visible on any picture.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from .samples import ShownBox, ShownSample, data_uri
from .svg import chart, element, fit_text, text_width
from .words import plain

__all__ = ["WIDTH", "draw_panel"]

WIDTH = 400
"""Units across; a panel is about that many pixels wide on a page."""
TEXT = 15.0
TAG = TEXT * 1.35


def draw_panel(sample: ShownSample, who: str, number: int) -> Markup:
    """The picture of sample ``number`` with the boxes of ``who`` ("original" or "winner") and the truth."""
    height, width = sample.size
    scale = WIDTH / width
    tall = round(height * scale, 1)
    mine = [b for b in sample.boxes if b.who == who]
    image = element("image", href=data_uri(sample.image), width=WIDTH, height=tall, preserveAspectRatio="none")
    truth = [_outline(b, scale, "truth") for b in sample.boxes if b.who == "truth"]
    boxes = [_outline(b, scale, f"found {who}" + (" alone" if b.alone else "")) for b in mine]
    tags = _tags([b for b in mine if b.alone], who, scale, tall)
    desc = "; ".join(_words(b) for b in mine) or "nothing"
    return chart(
        WIDTH, tall, f"scene-{number}-{who}", f"Sample {number}: what the {who} found", desc, image, *truth, *boxes,
        *tags, class_="scene",
    )  # fmt: skip


def _words(box: ShownBox) -> str:
    alone = ", the other model has none such" if box.alone else ""
    return f"{plain(box.label)} {box.score:.2f}{alone}" if box.score is not None else plain(box.label)


def _outline(box: ShownBox, scale: float, kind: str) -> Markup:
    x1, y1, x2, y2 = (round(v * scale, 1) for v in box.box)
    place = {"x": x1, "y": y1, "width": max(x2 - x1, 1.0), "height": max(y2 - y1, 1.0)}
    edge = element("rect", **place, class_=f"edge {kind}")
    return Markup("").join([edge, element("rect", **place, class_=kind)])


def _tags(boxes: Sequence[ShownBox], who: str, scale: float, tall: float) -> list[Markup]:
    """A label at each box: above it where there is room, else just inside; never outside of the picture."""
    taken: list[tuple[float, float, float]] = []
    tags = []
    for box in sorted(boxes, key=lambda b: -(b.score or 0.0)):
        words = fit_text(f"{plain(box.label)} {box.score:.2f}", WIDTH * 0.6, TEXT)
        wide = text_width(words, TEXT) + 10
        x = min(max(box.box[0] * scale, 0.0), WIDTH - wide)
        top, bottom = box.box[1] * scale, box.box[3] * scale
        spots = [y for y in (top - TAG, bottom, top, bottom - TAG) if 0 <= y <= tall - TAG] or [0.0]
        free = [y for y in spots if all(abs(y - b) >= TAG or x >= c + w or c >= x + wide for c, b, w in taken)]
        if not free:
            continue  # named in the words below the picture
        taken.append((x, free[0], wide))
        plate = element("rect", x=x, y=free[0], width=wide, height=TAG, class_=f"plate {who}")
        text = element("text", words, x=x + 5, y=free[0] + TAG * 0.74, font_size=TEXT, class_="plate-text")
        tags.append(Markup("").join([plate, text]))
    return tags
