"""How much room a chart has: drawn once for a wide page and once for a phone, so that text keeps its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Frame"]


@dataclass(frozen=True)
class Frame:
    """``width`` in CSS pixels at which the chart is shown unscaled; ``name`` keeps ids apart."""

    name: str
    width: float
    text: float = 12.5

    WIDE: ClassVar[Frame]
    NARROW: ClassVar[Frame]

    @property
    def narrow(self) -> bool:
        return self.width < 500


Frame.WIDE = Frame("wide", 960.0, 13.0)
Frame.NARROW = Frame("narrow", 328.0, 12.0)
