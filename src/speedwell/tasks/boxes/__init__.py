"""Outputs of detectors to boxes: adapters for the usual heads, non-maximum suppression, matching with the truth."""

from __future__ import annotations

from .detections import Detections
from .matching import matched, overlaps
from .settings import STYLES, Reader, detection_settings, parse_detection, reader_of

__all__ = [
    "STYLES", "Detections", "Reader", "detection_settings", "matched", "overlaps", "parse_detection", "reader_of",
]  # fmt: skip
