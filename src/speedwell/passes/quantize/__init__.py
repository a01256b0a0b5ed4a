"""Quantization to int8, in two forms of standard ONNX operators: static and dynamic."""

from __future__ import annotations

from .dynamic import QuantizeDynamic
from .static import QuantizeStatic

__all__ = ["QuantizeDynamic", "QuantizeStatic"]
