"""Per class: answers the winner lost to the left, answers it won to the right."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ..changes import ClassChange
from ..svg import Scale, chart, element
from ..words import plain
from .frame import Frame

__all__ = ["answers_chart"]


def answers_chart(classes: Sequence[ClassChange], frame: Frame) -> Markup | None:
    """Diverging bars, one row per class. None where no answer changed between right and wrong."""
    classes = [c for c in classes if c.lost or c.won]
    if not classes:
        return None
    narrow, size = frame.narrow, frame.text
    pitch = 42.0 if narrow else 28.0
    middle = frame.width / 2
    reach = frame.width / 2 - (34 if narrow else 250)
    most = max(max(c.lost, c.won) for c in classes)
    x = Scale(0.0, float(max(most, 8)), 0.0, reach)
    height = pitch * len(classes) + 8
    body: list[Markup] = []
    for i, change in enumerate(classes):
        y = i * pitch + (22.0 if narrow else 6.0)
        name = plain(change.name)
        if narrow:
            body.append(element("text", name[:44], x=middle, y=y - 5, class_="label", text_anchor="middle",
                                font_size=size))  # fmt: skip
        else:
            body.append(element("text", name[:34], x=220, y=y + 12, class_="label", text_anchor="end", font_size=size))
        for value, sign, kind in ((change.lost, -1, "before"), (change.won, 1, "after")):
            if not value:
                continue
            wide = x.at(value)
            body.append(element("rect", x=middle if sign > 0 else middle - wide, y=y, width=wide, height=15,
                                class_=f"bar {kind}"))  # fmt: skip
            body.append(element("text", str(value), x=middle + sign * (wide + 6), y=y + 12, class_="value",
                                text_anchor="start" if sign > 0 else "end", font_size=size))  # fmt: skip
    body.append(element("line", x1=middle, x2=middle, y1=0, y2=height - 4, class_="axis"))
    desc = "; ".join(f"{plain(c.name)}: {c.lost} lost, {c.won} won" for c in classes)
    return chart(frame.width, height, f"answers-{frame.name}", "Answers lost and won by class", desc, *body,
                 class_="plot")  # fmt: skip
