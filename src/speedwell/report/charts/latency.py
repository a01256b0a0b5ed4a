"""Every timed call, a row of dots per process pair: nothing is averaged away and no outlier is left out."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from markupsafe import Markup

from ..svg import Scale, chart, element, fit_text, text_width, tick_text
from ..words import milliseconds
from .frame import Frame

__all__ = ["latency_chart"]


def latency_chart(
    groups: Sequence[tuple[str, str, Sequence[Sequence[float]]]], frame: Frame, name: str = "latency"
) -> Markup | None:
    """``groups``: (label, css class, calls in seconds per process). None where no call was recorded."""
    groups = [(label, kind, [p for p in pairs if p]) for label, kind, pairs in groups]
    groups = [g for g in groups if g[2]]
    if not groups:
        return None
    size = frame.text
    calls = [c * 1e3 for _, _, pairs in groups for pair in pairs for c in pair]
    x = Scale.around(calls, 8.0, frame.width - 8, pad=0.03)
    body: list[Markup] = []
    y = 0.0
    for label, kind, pairs in groups:
        median = statistics.median(c for pair in pairs for c in pair)
        tail = f": median {milliseconds(median)}"
        head = fit_text(label, frame.width - text_width(tail, size), size) + tail
        body.append(element("text", head, x=0, y=y + 15, class_="label",
                            font_size=size))  # fmt: skip
        top = y + 26
        step = max(3.0, min(8.0, 84.0 / len(pairs)))
        dots = [f"M{x.at(c * 1e3):.1f} {top + i * step:.1f}h0" for i, pair in enumerate(pairs) for c in pair]
        body.append(element("path", d="".join(dots), class_=f"calls {kind}"))
        low = top + (len(pairs) - 1) * step
        body.append(element("line", x1=x.at(median * 1e3), x2=x.at(median * 1e3), y1=top - 5, y2=low + 5,
                            class_=f"median {kind}"))  # fmt: skip
        y = low + 16
    body.append(element("line", x1=8, x2=frame.width - 8, y1=y, y2=y, class_="axis"))
    last = -1e9
    for tick in x.ticks(4 if frame.narrow else 7):
        if x.at(tick) - last < 34:
            continue
        last = x.at(tick)
        body.append(element("line", x1=last, x2=last, y1=y, y2=y + 5, class_="axis"))
        body.append(element("text", tick_text(tick), x=last, y=y + 20, text_anchor="middle", class_="tick",
                            font_size=size))  # fmt: skip
    body.append(element("text", "ms per call" + (", log scale" if x.log else ""), x=frame.width - 8, y=y + 38,
                        text_anchor="end", class_="axis-name", font_size=size))  # fmt: skip
    desc = "; ".join(
        f"{label}: {sum(len(p) for p in pairs)} calls in {len(pairs)} processes, fastest "
        f"{milliseconds(min(c for p in pairs for c in p))}, slowest {milliseconds(max(c for p in pairs for c in p))}"
        for label, _, pairs in groups
    )
    return chart(frame.width, y + 44, f"{name}-{frame.name}", "Latency of every timed call", desc, *body, class_="plot")
