"""Accuracy against latency: every measured candidate, the promise as a line, the front joined."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ...core import Promise
from ..rows import Row
from ..svg import Labels, Scale, chart, element, tick_text
from ..words import MINUS, TIMES, milliseconds, percent, points, ratio, signed_points
from .frame import Frame

__all__ = ["picture_chart", "point_words"]

_RADIUS = {"original": 6.0, "winner": 7.0, "finalist": 5.0, "front": 4.5, "open": 4.0, "lost": 4.0}


def point_words(row: Row) -> str:
    """What stands in the tooltip: pipeline, latency, difference, why it lost."""
    parts = [row.label]
    if row.seconds is not None:
        parts.append(milliseconds(row.seconds) + (f" ({ratio(row.ratio, TIMES)})" if row.ratio is not None else ""))
    if row.accuracy is not None and row.difference is not None:
        parts.append(f"{percent(row.accuracy)} ({signed_points(row.difference, MINUS)} points)")
    if row.reason:
        parts.append(row.reason)
    return "\n".join([*parts, row.pipeline])


def _vertical(rows: Sequence[Row], promise: Promise | None, top: float, bottom: float) -> Scale:
    """Room for the promise and for everything near it; what lies far below is drawn on the lower edge."""
    margin = promise.margin if promise is not None and promise.margin > 0 else 0.005
    shown = [r.difference for r in rows if r.difference is not None and r.difference > -6 * margin]
    low = min([*shown, -1.6 * margin])
    high = max([*shown, 0.4 * margin])
    return Scale(low - 0.12 * (high - low), high + 0.12 * (high - low), bottom, top)


def _whiskers(row: Row, x: Scale, y: Scale) -> list[Markup]:
    """Range over process pairs across; one standard error of the paired difference up and down."""
    if row.seconds is None or row.difference is None:
        return []
    px, py = x.at(row.seconds), y.at(row.difference)
    lines = []
    if row.ratio and row.ratio_low and row.ratio_high and row.pairs > 1:
        fast, slow = row.seconds * row.ratio / row.ratio_high, row.seconds * row.ratio / row.ratio_low
        lines.append(element("line", x1=x.at(fast), x2=x.at(slow), y1=py, y2=py))
    if row.error:
        lines.append(element("line", x1=px, x2=px, y1=y.at(row.difference - row.error),
                             y2=y.at(row.difference + row.error)))  # fmt: skip
    return lines


def _mark(row: Row, x: float, y: float, clipped: bool) -> Markup:
    r = _RADIUS.get(row.state, 3.5)
    title = element("title", point_words(row))
    attributes = {"class_": f"dot {row.state}", "data_tip": point_words(row)}
    if clipped:
        return element("path", title, d=f"M{x - 6:.1f} {y - 6:.1f}h12l-6 9z", **attributes)
    if row.state == "original":
        return element("rect", title, x=x - r * 0.85, y=y - r * 0.85, width=r * 1.7, height=r * 1.7, **attributes)
    return element("circle", title, cx=x, cy=y, r=r, **attributes)


def picture_chart(rows: Sequence[Row], front: Sequence[str], promise: Promise | None, frame: Frame) -> Markup | None:
    """``front``: keys of the Pareto front (the original is joined to it). None where fewer than two candidates have
    both a latency and a difference.
    """
    shown = [r for r in rows if r.seconds is not None and r.difference is not None]
    if len(shown) < 2:
        return None
    narrow, width = frame.narrow, frame.width
    height = 330.0 if narrow else 440.0
    left, right, top, bottom = (40.0 if narrow else 58.0), width - 12.0, 30.0, height - 48.0
    x = Scale.around([r.seconds * 1e3 for r in shown if r.seconds is not None], left + 14, right - 14)
    x_seconds = Scale(x.low / 1e3, x.high / 1e3, x.start, x.end, x.log)
    y = _vertical(shown, promise, top + 8, bottom - 12)
    body: list[Markup] = _axes(x, y, left, right, bottom, frame)
    above: list[Markup] = []
    if promise is not None and promise.margin > 0:
        py = y.at(-promise.margin)
        words = f"promise: {points(promise.margin)} below"
        body.append(element("rect", x=left, y=py, width=right - left, height=bottom - py, class_="beyond"))
        body.append(element("line", x1=left, x2=right, y1=py, y2=py, class_="promise"))
        above.append(element("text", words, x=right - 4, y=py + frame.text + 2, class_="promise-text",
                             text_anchor="end", font_size=frame.text))  # fmt: skip
    joined = sorted((r for r in shown if r.key in front or r.state == "original"), key=lambda r: r.seconds or 0.0)
    if len(joined) > 1:
        path = " ".join(f"{x_seconds.at(r.seconds or 0):.1f},{y.at(r.difference or 0):.1f}" for r in joined)
        body.append(element("polyline", points=path, class_="front-line"))
    clipped = [r for r in shown if (r.difference or 0.0) < y.low]
    whiskered = [r for r in shown if len(shown) <= 60 or r.state not in ("lost", "open")]
    body.append(element("g", *[w for r in whiskered if r not in clipped for w in _whiskers(r, x_seconds, y)], "",
                        class_="whiskers"))  # fmt: skip
    order = {"lost": 0, "open": 0, "failed": 0, "front": 1, "finalist": 2, "original": 3, "winner": 4}
    labels = Labels(left, top, right, bottom, frame.text)
    labels.taken.append((left, y.at(0.0) - 1, right, y.at(0.0) + 1))
    if promise is not None:
        labels.taken.append((left, y.at(-promise.margin) - 1, right, y.at(-promise.margin) + 1))
    for row in shown:
        labels.block(x_seconds.at(row.seconds or 0), y.at(row.difference or 0), _RADIUS.get(row.state, 3.5) + 1)
    for row in sorted(shown, key=lambda r: order[r.state]):
        body.append(_mark(row, x_seconds.at(row.seconds or 0), y.at(row.difference or 0), row in clipped))
    named = [r for r in sorted(shown, key=lambda r: -order[r.state]) if order[r.state] and r not in clipped]
    for row in named[: 2 if narrow else 7]:
        spot = labels.place(x_seconds.at(row.seconds or 0), y.at(row.difference or 0), row.label, 11.0)
        if spot is not None:
            body.append(element("text", row.label, x=spot[0], y=spot[1], text_anchor=spot[2], font_size=frame.text,
                                class_=f"label {row.state}"))  # fmt: skip
    desc = (
        f"{len(shown)} measured candidates by median latency (milliseconds, left is faster) and by accuracy minus the "
        f"original's (points, up is better). {len(clipped)} lie below the lower edge. The table below holds the same."
    )
    return chart(width, height, f"picture-{frame.name}", "Accuracy against latency", desc, *body, *above,
                 class_="plot dense" if len(shown) > 100 else "plot")  # fmt: skip


def _axes(x: Scale, y: Scale, left: float, right: float, bottom: float, frame: Frame) -> list[Markup]:
    body = []
    for tick in y.ticks(4 if frame.narrow else 5):
        ty = y.at(tick)
        body.append(element("line", x1=left, x2=right, y1=ty, y2=ty, class_="zero" if abs(tick) < 1e-12 else "grid"))
        label = "0" if abs(tick) < 1e-12 else ("+" if tick > 0 else "") + tick_text(round(tick * 100, 6))
        body.append(
            element("text", label, x=left - 8, y=ty + 4, text_anchor="end", class_="tick", font_size=frame.text)
        )
    last = -1e9
    for tick in x.ticks(4 if frame.narrow else 7):
        tx, label = x.at(tick), tick_text(tick)
        body.append(element("line", x1=tx, x2=tx, y1=bottom, y2=bottom + 5, class_="axis"))
        if tx - last >= 34:
            body.append(element("text", label, x=tx, y=bottom + 20, text_anchor="middle", class_="tick",
                                font_size=frame.text))  # fmt: skip
            last = tx
    body.append(element("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"))
    scale = ", log scale" if x.log else ""
    body.append(element("text", f"median latency in ms{scale}", x=right, y=bottom + 40, text_anchor="end",
                        class_="axis-name", font_size=frame.text))  # fmt: skip
    body.append(element("text", "← faster", x=left, y=bottom + 40, class_="axis-name", font_size=frame.text))
    body.append(element("text", "points against the original", x=0, y=14, class_="axis-name", font_size=frame.text))
    return body
