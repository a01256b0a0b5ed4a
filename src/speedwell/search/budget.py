"""The time that a run may take, and the part of it that the confirmation is sure to get."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from speedwell.core.errors import UsageError

__all__ = ["RESERVED_SHARE", "Budget", "parse_seconds", "spell_seconds"]

RESERVED_SHARE = 0.2  # statistics.md: confirmation gets max(20 %, its measured cost)

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_PARTS = re.compile(r"(\d+(?:\.\d+)?)([hms])")
_FIX = "Write it as 10m, 90s, 1h30m, or a number of seconds."


def parse_seconds(text: str | float) -> float:
    """Seconds of "10m", "90s", "1h30m", "1.5h", "20" or 20. Raises ``UsageError`` for anything else and for <= 0."""
    words = str(text).strip().lower()
    try:
        seconds = float(words)
    except ValueError:
        compact = words.replace(" ", "")
        parts = _PARTS.findall(compact)
        units = [unit for _, unit in parts]
        if not parts or "".join(n + u for n, u in parts) != compact or units != sorted(set(units), key="hms".index):
            raise UsageError(f"the budget {text!r} is not a time", _FIX) from None
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not math.isfinite(seconds) or seconds <= 0:
        raise UsageError(f"the budget {text!r} is not a positive, finite time", _FIX)
    return seconds


def spell_seconds(seconds: float) -> str:
    """ "6:04" (minutes and seconds) or "1:06:04"."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass(frozen=True)
class Budget:
    """``seconds`` in all, counted by ``clock`` from ``started``; ``before`` were used by earlier sessions of this run.

    ``confirmation_cost``: seconds that confirming will take, as far as it has been measured (0: not yet).
    """

    seconds: float
    clock: Callable[[], float]
    started: float
    before: float = 0.0
    confirmation_cost: float = 0.0

    @staticmethod
    def start(seconds: str | float, clock: Callable[[], float] = time.monotonic, before: float = 0.0) -> Budget:
        """A budget that runs from now. Raises ``UsageError`` for a time that cannot be read (``parse_seconds``)."""
        return Budget(parse_seconds(seconds), clock, clock(), before)

    def with_confirmation_cost(self, seconds: float) -> Budget:
        """The same budget, now that confirming is known to take ``seconds``."""
        return replace(self, confirmation_cost=seconds)

    @property
    def reserve(self) -> float:
        """Seconds kept for the confirmation: the larger of 20 % and its measured cost."""
        return max(RESERVED_SHARE * self.seconds, self.confirmation_cost)

    def used(self) -> float:
        return self.before + self.clock() - self.started

    def left(self) -> float:
        """Seconds until the end, confirmation included; never below 0."""
        return max(0.0, self.seconds - self.used())

    def for_search(self) -> float:
        """Seconds that the search may still use; never below 0."""
        return max(0.0, self.left() - self.reserve)

    def fits(self, cost: float) -> bool:
        """True where ``cost`` seconds more of searching leave the reserve whole."""
        return cost <= self.for_search()

    def require(self, cost: float, what: str) -> None:
        """Raise ``UsageError`` with the budget to ask for, where ``what`` (``cost`` seconds of search) does not fit."""
        if not self.fits(cost):
            need = math.ceil(self.used() + cost + max(self.confirmation_cost, (self.used() + cost) / 4))
            raise UsageError(
                f"a budget of {self.seconds:g} s is too short: {what} needs about {cost:.0f} s, and "
                f"{self.reserve:.0f} s are kept for the confirmation",
                f"Ask for at least --budget {need}s.",
            )

    @property
    def words(self) -> str:
        """ "6:04 used, 3:56 left, of which 2:00 for the confirmation"."""
        kept = min(self.reserve, self.left())
        return (
            f"{spell_seconds(self.used())} used, {spell_seconds(self.left())} left, "
            f"of which {spell_seconds(kept)} for the confirmation"
        )
