"""One chart a file; each answers the question that stands above it in the report. Drawn twice: wide and narrow."""

from __future__ import annotations

from .answers import answers_chart
from .frame import Frame
from .latency import latency_chart
from .operators import operators_chart
from .picture import picture_chart
from .ratios import RatioLine, ratios_chart
from .waterfall import waterfall_chart

__all__ = [
    "Frame",
    "RatioLine",
    "answers_chart",
    "latency_chart",
    "operators_chart",
    "picture_chart",
    "ratios_chart",
    "waterfall_chart",
]
