"""Check a decoded record against its class's type hints: JSON from a stranger may hold any type anywhere."""

from __future__ import annotations

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from speedwell.core import decode, loads

__all__ = ["decode_checked", "loads_checked"]

T = TypeVar("T")


def loads_checked(kind: type[T], text: str) -> T:
    """``core.loads``, then every field compared with its declared type. Raises ``ValueError`` and nothing else."""
    return _checked(kind, lambda: loads(kind, text))


def decode_checked(kind: type[T], data: Any) -> T:
    """``core.decode``, checked in the same way."""
    return _checked(kind, lambda: typing.cast(T, decode(kind, data)))


def _checked(kind: type[T], make: Callable[[], T]) -> T:
    try:
        record = make()
    except (TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"not a {kind.__name__}: {type(error).__name__} {error}") from error
    if where := _mismatch(kind, record, kind.__name__):
        raise ValueError(f"{where} has the wrong type")
    return record


def _mismatch(hint: Any, value: Any, where: str) -> str:
    """The first place whose value is not of its type, "" where there is none."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return ""
    if origin in (typing.Union, types.UnionType):
        return "" if any(not _mismatch(a, value, where) for a in args) else where
    if origin is typing.Literal:
        return "" if value in args else where
    if origin is tuple:
        if not isinstance(value, tuple):
            return where
        kinds = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else list(args)
        pairs = zip(kinds, value, strict=False) if len(kinds) == len(value) else None
        return where if pairs is None else _first(_mismatch(k, v, f"{where}[]") for k, v in pairs)
    if origin is frozenset:
        return _first(_mismatch(args[0], v, where) for v in value) if isinstance(value, frozenset) else where
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            return where
        return _first(_mismatch(args[1], v, f"{where}.{k}") for k, v in value.items())
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if not isinstance(value, hint):
            return where
        hints = typing.get_type_hints(hint)
        return _first(
            _mismatch(hints[f.name], getattr(value, f.name), f"{where}.{f.name}") for f in dataclasses.fields(hint)
        )
    return "" if _is(hint, value) else where


def _is(hint: Any, value: Any) -> bool:
    if hint is None or hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, float) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if typing.get_origin(hint) is np.ndarray or hint is np.ndarray:
        return isinstance(value, np.ndarray)
    return isinstance(value, hint) if isinstance(hint, type) else isinstance(hint, enum.EnumMeta)


def _first(found: Any) -> str:
    return next((str(where) for where in found if where), "")
