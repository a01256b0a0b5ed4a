"""Numbers as words: percentages, points, times, sizes, counts, with as many digits as they deserve.

Bounds are rounded **outward** (a bound must not look better than it is); estimates are rounded to the nearest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..core import Interval

__all__ = [
    "MINUS",
    "TIMES",
    "bound_points",
    "count",
    "digits",
    "duration",
    "interval",
    "listed",
    "memory",
    "milliseconds",
    "percent",
    "plain",
    "plural",
    "points",
    "ratio",
    "seconds",
    "signed_points",
    "size",
    "sure",
]

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def plain(text: object) -> str:
    """``text`` without control characters: a label must not be able to steer a terminal."""
    return str(text).translate(_CONTROL)


def digits(value: float, significant: int = 3) -> str:
    """``value`` >= 0 with that many significant digits, never in exponent form: 26.8, 7.92, 0.213, 134."""
    if value == 0:
        return "0"
    places = max(0, significant - 1 - math.floor(math.log10(abs(value))))
    rounded = round(value, places)
    # 9.996 rounds to 10.0: the digit count is taken again after rounding
    places = max(0, significant - 1 - math.floor(math.log10(abs(rounded)))) if rounded else places
    return f"{rounded:,.{places}f}"


def percent(share: float, places: int = 1) -> str:
    """0.953 -> "95.3 %"."""
    return f"{100 * share:.{places}f} %"


def _trimmed(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def points(share: float) -> str:
    """0.006 -> "0.6 points", 0.01 -> "1 point"; the sign is dropped."""
    text = _trimmed(100 * abs(share), 2)
    return f"{text} point" if text == "1" else f"{text} points"


def bound_points(share: float) -> str:
    """A bound on a loss, rounded up to hundredths of a point: 0.00561 -> "0.57 points"; the sign is dropped."""
    up = math.ceil(round(1e4 * abs(share), 6)) / 1e4
    return points(up)


def signed_points(share: float, minus: str = "-") -> str:
    """-0.022 -> "-2.2", 0.001 -> "+0.1", 0 -> "0.0"; in points, without the word."""
    value = 100 * share
    text = f"{abs(value):.1f}" if abs(value) >= 0.095 or value == 0 else f"{abs(value):.2f}"
    if float(text) == 0:
        return "0.0"
    return (minus if value < 0 else "+") + text


def milliseconds(value: float) -> str:
    """Seconds in, three significant digits out: "26.8 ms", "213 µs", "1.34 s"."""
    if value >= 1:
        return f"{digits(value)} s"
    if value >= 1e-3 or value == 0:
        return f"{digits(1e3 * value)} ms"
    return f"{digits(1e6 * value)} µs"


def ratio(value: float, times: str = "x") -> str:
    """3.389 -> "3.39x"; three significant digits, at least two places below 10."""
    return f"{value:.2f}{times}" if value < 10 else f"{digits(value)}{times}"


def interval(value: Interval) -> str:
    """ "[3.35, 3.44]", rounded outward."""
    places = 2 if value.high < 100 else 0
    scale = 10**places
    low = math.floor(round(value.low * scale, 6)) / scale
    high = math.ceil(round(value.high * scale, 6)) / scale
    return f"[{low:.{places}f}, {high:.{places}f}]"


def size(value: int) -> str:
    """Bytes in decimal units, as disks count: "24.1 MB", "812 kB"."""
    if value < 1000:
        return f"{value} bytes"
    for unit, power in (("kB", 1e3), ("MB", 1e6)):
        if value < 999.5 * power:
            return f"{digits(value / power)} {unit}"
    return f"{digits(value / 1e9)} GB"


def memory(value: int) -> str:
    """Bytes in binary units, as memory is sold: "24 GB"."""
    gib = value / 2**30
    return f"{gib:.0f} GB" if gib >= 9.5 else f"{gib:.1f} GB"


def count(value: int) -> str:
    """15000 -> "15,000"."""
    return f"{value:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """ "1 text", "4,500 texts"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(value: float) -> str:
    """A clock: 364 -> "6:04", 3723 -> "1:02:03"."""
    total = max(0, int(value))
    hours, minutes, secs = total // 3600, total // 60 % 60, total % 60
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def seconds(value: float) -> str:
    """A span in words: "45 s", "6 min 4 s", "1 h 2 min"; below 10 s with one place."""
    if value < 10:
        return f"{_trimmed(value, 1)} s"
    total = round(value)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min" + (f" {total % 60} s" if total % 60 else "")
    return f"{total // 3600} h" + (f" {total // 60 % 60} min" if total // 60 % 60 else "")


def sure(alpha: float) -> str:
    """0.05 -> "95 % sure"."""
    return f"{_trimmed(100 * (1 - alpha), 2)} % sure"


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)
