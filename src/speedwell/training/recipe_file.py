"""Recipes from and to TOML: strict about names and types, so that a misspelt word never trains something else."""

from __future__ import annotations

import dataclasses
import json
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..core.errors import DataNotFoundError, UsageError
from .recipe import Distil, Privacy, Recipe

__all__ = ["merged", "read_recipe", "write_recipe"]

BEGUN: dict[str, Any] = {"distil": Distil, "privacy": Privacy}
"""Tables that a recipe has only where it says so."""


def read_recipe(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises ``DataNotFoundError``, or ``UsageError`` with the place of a mistake."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no recipe {path}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the recipe {path} cannot be read: {error}", "Write it as TOML.") from error


def write_recipe(tables: Mapping[str, Any]) -> str:
    """TOML text of nested mappings of plain values (``encode(recipe)``); None is left out, as TOML has no word."""
    return "".join(_table("", tables)).lstrip("\n")


def merged(recipe: Recipe, tables: Mapping[str, Any]) -> Recipe:
    """``recipe`` with the values that ``tables`` give. Raises ``UsageError`` for an unknown name or a wrong type."""
    made: Recipe = _merge(recipe, tables, "")
    return made


def _merge(record: Any, tables: Mapping[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(type(record))
    known = {f.name for f in dataclasses.fields(record)}
    if unknown := sorted(set(tables) - known):
        raise UsageError(
            f"the recipe says {where}{unknown[0]}", f"{where or 'It'} may say: {', '.join(sorted(known))}."
        )
    changes: dict[str, Any] = {}
    for name, value in tables.items():
        here = getattr(record, name)
        if isinstance(value, Mapping):
            start = BEGUN[name]() if here is None and name in BEGUN else here
            if not dataclasses.is_dataclass(start):
                raise UsageError(f"{where}{name} is a table in the recipe", f"Give a value like {here!r}.")
            changes[name] = _merge(start, value, f"{where}{name}.")
        else:
            changes[name] = _typed(value, hints[name], f"{where}{name}")
    return dataclasses.replace(record, **changes)


def _typed(value: Any, hint: Any, name: str) -> Any:
    """``value`` as the field's type. An int is a fine float; nothing else is converted."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in args:
            raise UsageError(f"{name} is {value!r}", f"Use one of: {', '.join(args)}.")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or (args[-1] is not Ellipsis and len(value) != len(args)):
            raise UsageError(f"{name} is {value!r}", "Give a list of the right length.")
        return tuple(_typed(v, args[0], name) for v in value)
    if hint is float and type(value) is int:
        value = float(value)
    if hint in (int, float, str, bool) and type(value) is not hint:
        raise UsageError(f"{name} is {value!r}", f"Give a value of type {hint.__name__}.")
    if hint not in (int, float, str, bool):
        raise UsageError(f"{name} is {value!r}", "Give a table of its own.")
    return value


def _table(name: str, values: Mapping[str, Any]) -> list[str]:
    lines = [f"\n[{name}]\n"] if name else []
    plain = {k: v for k, v in values.items() if not isinstance(v, Mapping) and v is not None}
    lines += [f"{k} = {_toml(v)}\n" for k, v in plain.items()]
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _table(f"{name}.{key}" if name else key, value)
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(v) for v in value)}]"
    if isinstance(value, str):
        return json.dumps(value)  # a JSON string is a basic TOML string
    return repr(value)
