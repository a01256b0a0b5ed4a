"""Frozen dataclasses to versioned JSON and back.

``encode`` turns a record into plain JSON values; ``decode`` rebuilds it from the class's type hints.
Supported field types: str, int, float, bool, None, Path, Enum, nested dataclasses, ``X | None``, ``tuple[X, ...]``,
``tuple[X, Y]``, ``frozenset[X]``, ``Mapping[str, X]``, ``Any`` (plain JSON) and numpy arrays (as lists with a dtype).
Not-a-number and infinities are refused: JSON has no word for them, and no record should hold one.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

__all__ = ["SCHEMA", "canonical", "content_hash", "decode", "dumps", "encode", "loads"]

SCHEMA = 1
T = TypeVar("T")


def encode(value: Any) -> Any:
    """Plain JSON values for ``value``. Raises ``TypeError`` for a type not listed above, ``ValueError`` for NaN."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            raise ValueError(f"a record cannot hold {value!r}")
        return float(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.ndarray):
        return {"dtype": str(value.dtype), "shape": list(value.shape), "data": value.ravel().tolist()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(encode(v) for v in value)
    if isinstance(value, (tuple, list)):
        return [encode(v) for v in value]
    raise TypeError(f"cannot write a {type(value).__name__} into a record")


def decode(kind: Any, data: Any) -> Any:
    """The value of type ``kind`` that ``encode`` wrote as ``data``."""
    if kind is Any or kind is None or kind is type(None):
        return data
    origin = typing.get_origin(kind)
    args = typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(args, data)
    if origin is typing.Literal:
        return data
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(decode(args[0], d) for d in data)
        return tuple(decode(a, d) for a, d in zip(args, data, strict=True))
    if origin is frozenset:
        return frozenset(decode(args[0], d) for d in data)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {k: decode(args[1], v) for k, v in data.items()}
    if kind is np.ndarray or origin is np.ndarray:
        return np.asarray(data["data"], dtype=data["dtype"]).reshape(data["shape"])
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(data)
    if kind is Path:
        return Path(data)
    if kind is float:
        return float(data)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        known = {f.name for f in dataclasses.fields(kind) if f.init}
        return kind(**{k: decode(hints[k], v) for k, v in data.items() if k in known})
    return data


def _decode_union(args: tuple[Any, ...], data: Any) -> Any:
    if data is None:
        return None
    for arg in args:
        if isinstance(arg, type) and arg in (int, str, bool, float) and type(data) is arg:
            return data
    rest = [a for a in args if a is not type(None)]
    return decode(rest[0], data)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def dumps(value: Any) -> str:
    """Versioned JSON text of one record: ``{"schema": 1, "record": {...}}``, keys in field order."""
    return json.dumps({"schema": SCHEMA, "record": encode(value)}, allow_nan=False)


def loads(kind: type[T], text: str) -> T:
    """The record that ``dumps`` wrote. Raises ``ValueError`` when the schema is newer than this version reads."""
    data = json.loads(text)
    if data.get("schema") != SCHEMA:
        raise ValueError(f"this record has schema {data.get('schema')!r}; this version of Speedwell reads {SCHEMA}")
    return typing.cast(T, decode(kind, data["record"]))


def canonical(value: Any) -> bytes:
    """One byte string per value, whatever the order of its keys: what hashes are taken over."""
    return json.dumps(encode(value), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def content_hash(value: Any) -> str:
    """sha256 (hex) of ``canonical(value)``."""
    return hashlib.sha256(canonical(value)).hexdigest()
