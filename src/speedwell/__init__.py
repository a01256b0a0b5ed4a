"""Speedwell: your trained model in; the fastest model that still keeps your accuracy promise out."""

from __future__ import annotations

__version__ = "0.1.0"
