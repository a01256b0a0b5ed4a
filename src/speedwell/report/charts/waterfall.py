"""The winner step by step: what each step took off the latency."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ..stages import Stage
from ..svg import Scale, chart, element, fit_text, text_width
from ..words import MINUS, milliseconds
from .frame import Frame

__all__ = ["waterfall_chart"]


def waterfall_chart(stages: Sequence[Stage], frame: Frame) -> Markup | None:
    """A bar per measured stage: what is left of the latency, and lighter, what the step took off it (or added).

    None where fewer than two stages were timed.
    """
    timed = [s for s in stages if s.seconds is not None]
    if len(timed) < 2:
        return None
    narrow, size = frame.narrow, frame.text
    pitch = 58.0 if narrow else 46.0
    label_room = 0.0 if narrow else min(400.0, max(text_width(s.label, size) for s in timed) + 16)
    number_room = 142.0
    height = pitch * len(timed) + 8
    longest = max(s.seconds or 0.0 for s in timed)
    x = Scale(0.0, longest, label_room, frame.width - number_room)
    body: list[Markup] = []
    before: float | None = None
    for i, stage in enumerate(timed):
        seconds = stage.seconds or 0.0
        y = i * pitch + (24.0 if narrow else 10.0)
        kind = "base" if i == 0 else "last" if i == len(timed) - 1 else "mid"
        if narrow:
            body.append(
                element("text", fit_text(stage.label, frame.width, size), x=0, y=y - 8, class_="label", font_size=size)
            )
        else:
            label = fit_text(stage.label, label_room - 12, size)
            body.append(element("text", label, x=label_room - 12, y=y + 17, class_="label", text_anchor="end",
                                font_size=size))  # fmt: skip
        body.append(element("rect", x=x.start, y=y, width=x.at(seconds) - x.start, height=24, class_=f"bar {kind}"))
        edge, change = seconds, ""
        if before is not None and before != seconds:
            low, high = min(before, seconds), max(before, seconds)
            gained = before > seconds
            words = f"{MINUS if gained else '+'}{milliseconds(abs(before - seconds))}"
            body.append(element("rect", x=x.at(low), y=y, width=max(1.0, x.at(high) - x.at(low)), height=24,
                                class_="bar saved" if gained else "bar added"))  # fmt: skip
            fits = x.at(high) - x.at(low) > text_width(words, size) + 10
            change = "" if fits else f" ({words})"
            if fits:
                body.append(element("text", words, x=(x.at(low) + x.at(high)) / 2, y=y + 17, text_anchor="middle",
                                    class_="saved-text", font_size=size))  # fmt: skip
            edge = high
        body.append(element("text", milliseconds(seconds) + change, x=x.at(edge) + 8, y=y + 17, class_="value",
                            font_size=size))  # fmt: skip
        before = seconds
    words = ", then ".join(f"{s.label}: {milliseconds(s.seconds or 0.0)}" for s in timed)
    return chart(frame.width, height, f"waterfall-{frame.name}", "Latency after each step of the winner", words, *body,
                 class_="plot")  # fmt: skip
