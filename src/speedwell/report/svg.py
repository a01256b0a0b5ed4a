"""Chart primitives: scales with nice ticks, escaped SVG elements, labels that keep out of each other's way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

__all__ = ["Labels", "Scale", "chart", "element", "fit_text", "log_ticks", "nice_ticks", "text_width", "tick_text"]


def _number(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"
    return value


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """One element. Text is escaped; ``Markup`` children are kept. ``None`` attributes are left out; ``class_`` and
    ``stroke_width`` become ``class`` and ``stroke-width``.
    """
    named = ((k.rstrip("_").replace("_", "-"), _number(v)) for k, v in attributes.items() if v is not None)
    inside = Markup("").join(Markup(' {}="{}"').format(k, v) for k, v in named)
    body = Markup("").join(c if isinstance(c, Markup) else escape(c) for c in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), inside, body) if children else Markup(f"<{tag}{inside}/>")


def chart(width: float, height: float, ident: str, title: str, desc: str, *body: Markup, class_: str = "") -> Markup:
    """The svg element, with its accessible name (``title``) and description. ``ident`` is unique in the page."""
    return element(
        "svg",
        element("title", title, id=f"{ident}-t"),
        element("desc", desc, id=f"{ident}-d"),
        *body,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{ident}-t {ident}-d",
        class_=class_ or None,
    )


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values (1, 2, 5 times a power of ten) inside [low, high], about ``wanted`` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(raw))
    asked = next(m for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    # finer than asked for only where that would leave a lone tick, and no finer than that needs: 4 before 2
    for step in (m * power for m in (10, 5, 4, 2, 1, 0.5, 0.4, 0.2) if m <= asked):
        ticks = [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        if len(ticks) >= 2:
            break
    return ticks


def log_ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """1, 2, 5 times powers of ten inside [low, high] (low > 0); finer ones where those are fewer than three."""
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [m * 10.0**e for e in exponents for m in steps if low * 0.999 <= m * 10.0**e <= high * 1.001]
        if len(ticks) >= min(wanted, 3):
            return ticks
    return nice_ticks(low, high, wanted)


def tick_text(value: float) -> str:
    """0.5, 2, 1000: no trailing zeros, no exponent, a real minus sign."""
    text = f"{value:.6g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.1e}"
    return text.replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Scale:
    """Values [low, high] to pixels [start, end]; ``log`` needs low > 0."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.high > self.low or (self.log and self.low <= 0):
            raise ValueError(f"a scale needs low < high (and low > 0 for log), got {self.low}, {self.high}")

    def at(self, value: float) -> float:
        """Pixels; values outside are mapped to the nearer end."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[float]:
        return log_ticks(self.low, self.high, wanted) if self.log else nice_ticks(self.low, self.high, wanted)

    @staticmethod
    def around(values: Sequence[float], start: float, end: float, log: bool | None = None, pad: float = 0.06) -> Scale:
        """A scale that holds every value with a margin; ``log`` None: where the values span more than a factor 8."""
        low, high = min(values), max(values)
        use_log = low > 0 and high / low > 8 if log is None else log
        if use_log:
            room = max((high / low) ** pad, 1.03)
            return Scale(low / room, high * room, start, end, True)
        room = (high - low) * pad or abs(high) * 0.1 or 1.0
        return Scale(low - room, high + room, start, end)


def text_width(text: str, size: float) -> float:
    """Rough width in pixels of sans-serif text; wide enough for most fonts."""
    return 0.59 * size * len(text)


def fit_text(text: str, room: float, size: float) -> str:
    """``text``, cut with an ellipsis where it is wider than ``room`` pixels."""
    return text if text_width(text, size) <= room else text[: max(1, int(room / text_width("x", size)) - 1)] + "…"


@dataclass
class Labels:
    """Places labels beside points one after the other: each takes the first spot that is free, or none."""

    left: float
    top: float
    right: float
    bottom: float
    size: float = 12.0
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def block(self, x: float, y: float, radius: float) -> None:
        """Keep labels off a point."""
        self.taken.append((x - radius, y - radius, x + radius, y + radius))

    def place(self, x: float, y: float, text: str, gap: float = 9.0) -> tuple[float, float, str] | None:
        """(x, baseline y, text-anchor) for a label of the point (x, y); None where all spots are taken."""
        wide, high = text_width(text, self.size), self.size * 1.15
        spots = []
        for dy in (0.0, -1.3 * high, 1.3 * high, -2.6 * high, 2.6 * high):
            spots += [(x + gap, y + dy, "start"), (x - gap, y + dy, "end")]
        spots += [(x, y - gap - high / 2, "middle"), (x, y + gap + high / 2, "middle")]
        for sx, sy, anchor in spots:
            x0 = sx if anchor == "start" else sx - wide if anchor == "end" else sx - wide / 2
            box = (x0, sy - high / 2, x0 + wide, sy + high / 2)
            inside = self.left <= box[0] and box[2] <= self.right and self.top <= box[1] and box[3] <= self.bottom
            if inside and not any(_overlap(box, other) for other in self.taken):
                self.taken.append(box)
                return sx, sy + self.size * 0.35, anchor
        return None


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
