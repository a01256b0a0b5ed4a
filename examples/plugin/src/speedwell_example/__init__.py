"""A plug-in for Speedwell: nothing is imported here, because entry points name the modules."""

from __future__ import annotations

__all__: list[str] = []
