"""Each speed ratio with its interval, the control among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ...core import Interval
from ..svg import Scale, chart, element, fit_text, text_width, tick_text
from ..words import TIMES, interval, ratio
from .frame import Frame

__all__ = ["RatioLine", "ratios_chart"]


@dataclass(frozen=True)
class RatioLine:
    """``control``: a model against itself, whose interval should hold 1."""

    label: str
    ratio: Interval
    control: bool = False


def ratios_chart(lines: Sequence[RatioLine], frame: Frame) -> Markup | None:
    """A line per claim on one log axis, with 1 marked. None where there is nothing to show."""
    lines = [line for line in lines if line.ratio.low > 0]
    if not lines:
        return None
    narrow, size = frame.narrow, frame.text
    pitch = 68.0 if narrow else 34.0
    room = 0.0 if narrow else min(440.0, max(text_width(line.label, size) for line in lines) + 24)
    number_room = 0.0 if narrow else 150.0
    values = [v for line in lines for v in (line.ratio.low, line.ratio.high)] + [0.95, 1.05]
    x = Scale.around(values, room + 6, frame.width - number_room - 8, log=True)
    bottom = pitch * len(lines) + 8
    body = [element("line", x1=x.at(1), x2=x.at(1), y1=0, y2=bottom, class_="zero")]
    last = -1e9
    for tick in x.ticks(5):
        if x.at(tick) - last < 34:
            continue
        last = x.at(tick)
        body.append(element("line", x1=last, x2=last, y1=bottom, y2=bottom + 4, class_="axis"))
        body.append(element("text", tick_text(tick) + TIMES, x=last, y=bottom + 19, text_anchor="middle", class_="tick",
                            font_size=size))  # fmt: skip
    body.append(element("line", x1=x.start, x2=x.end, y1=bottom, y2=bottom, class_="axis"))
    for i, line in enumerate(lines):
        y = i * pitch + (52.0 if narrow else 20.0)
        kind = "control" if line.control else "claim"
        words = f"{ratio(line.ratio.estimate, TIMES)} {interval(line.ratio)}"
        if narrow:
            label = fit_text(line.label, frame.width, size)
            body.append(element("text", label, x=0, y=y - 31, class_="label", font_size=size))
            body.append(element("text", words, x=0, y=y - 14, class_="value", font_size=size))
        else:
            label = fit_text(line.label, room - 12, size)
            body.append(element("text", label, x=room - 12, y=y + 4, class_="label", text_anchor="end",
                                font_size=size))  # fmt: skip
            body.append(element("text", words, x=frame.width - number_room + 8, y=y + 4, class_="value",
                                font_size=size))  # fmt: skip
        body.append(element("line", x1=x.at(line.ratio.low), x2=x.at(line.ratio.high), y1=y, y2=y,
                            class_=f"interval {kind}"))  # fmt: skip
        body.append(element("circle", cx=x.at(line.ratio.estimate), cy=y, r=3.5, class_=f"dot {kind}"))
    desc = "; ".join(f"{line.label}: {ratio(line.ratio.estimate)} {interval(line.ratio)}" for line in lines)
    return chart(frame.width, bottom + 26, f"ratios-{frame.name}", "Speed ratios with their intervals", desc, *body,
                 class_="plot")  # fmt: skip
