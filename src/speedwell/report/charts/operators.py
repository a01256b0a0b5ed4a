"""Time by operator kind: before and after side by side, on one scale.

Engines name operators differently, so the two are not paired by name.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ...core import OperatorTime
from ..svg import Scale, chart, element, fit_text, text_width
from ..words import milliseconds, plain
from .frame import Frame

__all__ = ["largest_operators", "operators_chart"]


def largest_operators(times: Sequence[OperatorTime], most: int = 8) -> list[OperatorTime]:
    """Largest first; beyond ``most`` kinds the rest is summed as one ("5 others")."""
    ordered = sorted(times, key=lambda t: -t.seconds)
    if len(ordered) <= most + 1:
        return ordered
    rest = ordered[most:]
    return [
        *ordered[:most],
        OperatorTime(f"{len(rest)} others", sum(t.seconds for t in rest), sum(t.count for t in rest)),
    ]


def operators_chart(panels: Sequence[tuple[str, str, Sequence[OperatorTime]]], frame: Frame) -> Markup | None:
    """``panels``: (label, css class, times). Beside each other when wide, else below. None where nothing is known."""
    panels = [(label, kind, largest_operators(times)) for label, kind, times in panels if times]
    if not panels:
        return None
    gap, size, pitch = 40.0, frame.text, 28.0
    wide = frame.width if frame.narrow else (frame.width - gap) / 2
    longest = max(t.seconds for _, _, times in panels for t in times) or 1e-9
    names = [plain(t.operator) for _, _, times in panels for t in times]
    room = min(0.5 * wide, max(text_width(n, size) for n in names) + 14)
    body: list[Markup] = []
    left, top, height = 0.0, 0.0, 0.0
    for label, kind, times in panels:
        x = Scale(0.0, longest, left + room, left + wide - 66)
        tail = f": {milliseconds(sum(t.seconds for t in times))} in all"
        head = fit_text(plain(label), wide - text_width(tail, size) - 10, size) + tail
        body.append(element("text", head, x=left, y=top + 15,
                            class_="label sum", font_size=size))  # fmt: skip
        for i, time in enumerate(times):
            y = top + 32 + i * pitch
            long = max(1.0, x.at(time.seconds) - x.start)
            name = fit_text(plain(time.operator), room - 12, size)
            body.append(element("text", name, x=left + room - 10, y=y + 12.5, class_="label", text_anchor="end",
                                font_size=size))  # fmt: skip
            body.append(element("rect", x=x.start, y=y, width=long, height=17, class_=f"bar {kind}"))
            body.append(element("text", milliseconds(time.seconds), x=x.start + long + 7, y=y + 12.5, class_="value",
                                font_size=size))  # fmt: skip
        end = top + 32 + len(times) * pitch
        height = max(height, end)
        if frame.narrow:
            top = end + 22
        else:
            left += wide + gap
    desc = "; ".join(
        f"{label}: " + ", ".join(f"{t.operator} {milliseconds(t.seconds)}" for t in times) for label, _, times in panels
    )
    return chart(frame.width, height, f"operators-{frame.name}", "Time by operator, before and after", plain(desc),
                 *body, class_="plot")  # fmt: skip
