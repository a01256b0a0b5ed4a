"""Loss and validation metric over the epochs: has it learnt, and had it finished?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ..svg import Scale, chart, element, tick_text
from .frame import Frame

__all__ = ["learning"]

LEFT, RIGHT, TOP, BOTTOM, GAP = 52.0, 16.0, 26.0, 34.0, 46.0
HEIGHT = 170.0


def learning(rows: Sequence[Mapping[str, Any]], metric: str, frame: Frame = Frame.WIDE) -> Markup:
    """Two panels over one axis of epochs: the training loss above, the metric in percent below. ``rows``: the history,
    each with ``epoch`` and ``loss`` or ``metric``. Empty where there are fewer than two of each.
    """
    losses = [(r["epoch"], r["loss"]) for r in rows if r.get("loss") is not None]
    scores = [(r["epoch"], 100 * r["metric"]) for r in rows if r.get("metric") is not None]
    panels = [(n, p) for n, p in (("training loss", losses), (f"{metric}, % (validation)", scores)) if len(p) > 1]
    if not panels:
        return Markup("")
    last = max(x for _, points in panels for x, _ in points)
    across = Scale(0.0, last, LEFT, frame.width - RIGHT)
    height = TOP + len(panels) * HEIGHT + (len(panels) - 1) * GAP + BOTTOM
    body: list[Markup] = []
    for number, (name, points) in enumerate(panels):
        top = TOP + number * (HEIGHT + GAP)
        body += _panel(name, points, across, top, top + HEIGHT, frame)
    floor = height - BOTTOM
    for tick in across.ticks(4 if frame.narrow else 8):
        x = across.at(tick)
        body.append(
            element(
                "text", tick_text(tick), x=x, y=floor + 18, text_anchor="middle", font_size=frame.text, class_="tick"
            )
        )
    body.append(
        element(
            "text",
            "epochs",
            x=frame.width - RIGHT,
            y=floor + 34,
            text_anchor="end",
            font_size=frame.text,
            class_="axis-name",
        )
    )
    ends = "; ".join(f"{name} from {points[0][1]:.3g} to {points[-1][1]:.3g}" for name, points in panels)
    return chart(
        frame.width, height, f"learning-{frame.name}", "What it learnt, epoch by epoch", ends, *body, class_="plot"
    )


def _panel(
    name: str, points: Sequence[tuple[float, float]], across: Scale, top: float, floor: float, frame: Frame
) -> list[Markup]:
    down = Scale.around([y for _, y in points], floor, top, log=False)
    parts = [element("text", name, x=LEFT, y=top - 9, font_size=frame.text, class_="axis-name")]
    for tick in down.ticks(4):
        y = down.at(tick)
        parts.append(element("line", x1=LEFT, x2=frame.width - RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(
            element(
                "text", tick_text(tick), x=LEFT - 8, y=y + 4, text_anchor="end", font_size=frame.text, class_="tick"
            )
        )
    path = " ".join(f"{across.at(x):.1f},{down.at(y):.1f}" for x, y in points)
    parts.append(element("polyline", points=path, class_="front-line"))
    x, y = points[-1]
    parts.append(element("circle", cx=across.at(x), cy=down.at(y), r=4.0, class_="dot winner"))
    return parts
