"""A function of the user's, named as ``module:function`` or ``file.py:function``. This runs the user's own code."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..core.errors import UsageError

__all__ = ["resolve"]


def resolve(reference: str | Callable[..., Any], what: str) -> Callable[..., Any]:
    """The callable. ``what`` names its purpose in errors. The working folder is searched, as ``python -m`` does.

    Raises ``UsageError`` where it cannot be found or imported, with the module's own words.
    """
    if callable(reference):
        return reference
    place, _, name = str(reference).rpartition(":")
    if not place or not name:
        raise UsageError(f"{what} is {reference!r}", "Write module:function, or file.py:function.")
    module = _from_file(Path(place), what) if place.endswith(".py") else _from_name(place, what)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UsageError(f"{place} has no function {name!r} for {what}", "Write module:function.")
    function: Callable[..., Any] = found
    return function


def _from_name(name: str, what: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except Exception as error:  # the user's module may raise anything while it is imported
        raise UsageError(
            f"cannot import {name} for {what}: {type(error).__name__}: {error}",
            "Run from the folder that holds it, or set PYTHONPATH; or write file.py:function.",
        ) from error


def _from_file(path: Path, what: str) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no {path} for {what}")
    name = f"speedwell_user_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file for {what}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # as above
        del sys.modules[name]
        raise UsageError(f"cannot import {path} for {what}: {type(error).__name__}: {error}") from error
    return module
