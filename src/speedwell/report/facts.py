"""Plain JSON of any shape as terms and descriptions that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .words import count, memory, percent, plain, seconds, size

__all__ = ["fact_list", "fact_text"]

_MOST = 12


def fact_list(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """(term, description) pairs, nested keys joined by ", "; empty values are left out."""
    if not isinstance(value, Mapping):
        text = fact_text(prefix, value)
        return [(prefix or "value", text)] if text else []
    pairs: list[tuple[str, str]] = []
    for key, item in value.items():
        words = plain(key).replace("_", " ")
        name = f"{prefix}, {words}" if prefix else words
        if isinstance(item, Mapping):
            pairs += fact_list(item, name)
        elif text := fact_text(name, item):
            pairs.append((_term(name), text))
    return pairs


def _term(name: str) -> str:
    for ending in (" bytes", " seconds"):
        name = name.removesuffix(ending)
    return name


def fact_text(name: str, value: Any) -> str:
    """One value: bytes and seconds by their name's ending, lists by their items (or how many there are)."""
    if value is None or value == "" or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        if name.endswith("memory bytes"):
            return memory(int(value))
        if name.endswith("bytes"):
            return size(int(value))
        if name.endswith("seconds"):
            return seconds(float(value))
        if name.endswith("share"):
            return percent(float(value))
        return count(value) if isinstance(value, int) else f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        texts = [fact_text("", v) if not isinstance(v, Mapping) else _inline(v) for v in value[:_MOST]]
        return ", ".join(texts) + (f" and {len(value) - _MOST} more" if len(value) > _MOST else "")
    if isinstance(value, Mapping):
        return _inline(value)
    return plain(value)


def _inline(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in fact_list(value))
