"""Find the user's own code: ``package.module:callable`` or ``path/to/file.py:callable``, imported and called.

This runs what the user named. It is named as the user's code wherever Speedwell reports it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..core import try_import
from ..core.errors import ModelError, ModelNotFoundError, UnsupportedModelError

if TYPE_CHECKING:
    import torch

__all__ = ["REFERENCE", "call_factory", "find_factory", "split_reference", "takes"]

REFERENCE = re.compile(r"(?P<where>.+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_][\w.]*)")
WAY = "A factory is a function without arguments that returns the network:   def build(): return Net()"


def split_reference(reference: str) -> tuple[str, tuple[str, ...]]:
    """("module:callable", folders for ``sys.path``) of a reference in either spelling.

    For a file, its own folder comes first (or, for a file inside a package, the folder that holds the package);
    the working folder always belongs. Raises ``ModelNotFoundError`` for a file that is not there.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise ModelNotFoundError(f"{reference!r} is no factory", "Write package.module:build or path/to/file.py:build.")
    where, name = match["where"], match["name"]
    here = os.getcwd()
    if not where.endswith(".py"):
        return f"{where}:{name}", (here,)
    path = Path(where).expanduser().resolve()
    if not path.is_file():
        raise ModelNotFoundError(f"there is no file {where} (looked in {here})")
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return f"{'.'.join(parts)}:{name}", tuple(dict.fromkeys((str(folder), here)))


def find_factory(reference: str, search_path: Sequence[str]) -> tuple[Any, ModuleType]:
    """The object that "module:callable" names and its module, with ``search_path`` in front of ``sys.path``.

    Raises ``ModelNotFoundError`` where either is not there, ``ModelError`` where importing the user's code fails.
    """
    module_name, _, name = reference.partition(":")
    module = _import(module_name, search_path)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            there = [n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module_name]
            hint = f"It has: {', '.join(there[:12])}" if there else WAY
            raise ModelNotFoundError(f"{_place(module)} has no {name!r}", hint)
        found = getattr(found, part)
    return found, module


def call_factory(
    reference: str, search_path: Sequence[str], arguments: Mapping[str, Any] | None = None
) -> tuple[torch.nn.Module, Any, ModuleType]:
    """(the network, the callable, its Python module). A module-level ``nn.Module`` is taken as it is.

    ``arguments``: what the callable is called with, by name.

    Raises ``UnsupportedModelError`` where the callable wants arguments or returns no ``nn.Module``, ``ModelError``
    with the code's own message where it raises.
    """
    nn = try_import("torch").nn
    found, module = find_factory(reference, search_path)
    if isinstance(found, nn.Module):
        return found, found, module
    if not callable(found):
        raise UnsupportedModelError(f"{reference} is a {type(found).__name__}, not something to call", WAY)
    given = dict(arguments or {})
    wanted = [name for name in _wanted(found) if name not in given]
    if wanted:
        raise UnsupportedModelError(
            f"{reference} wants arguments: {', '.join(wanted)}",
            f"Write a function without arguments that gives them:   def build(): return "
            f"{reference.partition(':')[2]}({', '.join(f'{w}=...' for w in wanted)})",
        )
    try:
        network = found(**given)
    except (Exception, SystemExit) as error:
        raise ModelError(f"{reference} (your code) failed: {_told(error)}", "Run it alone to see it fail.") from error
    if not isinstance(network, nn.Module):
        raise UnsupportedModelError(f"{reference} returned a {_typename(network)}, not a torch.nn.Module", WAY)
    return network, found, module


def _import(name: str, search_path: Sequence[str]) -> ModuleType:
    for folder in reversed(search_path):
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    path = _file_of(name, search_path)
    loaded = sys.modules.get(name)
    try:
        if path is not None and loaded is not None and getattr(loaded, "__file__", None) != str(path):
            return _import_apart(name, path)
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise ModelNotFoundError(
                f"there is no Python module {name!r} (looked in {', '.join(search_path)}, then where Python looks)",
                "Run the command where the module lies, or name its file:   path/to/file.py:build",
            ) from error
        raise ModelError(
            f"{name} (your code) cannot be imported: {_told(error)}", "Install what it imports in this environment."
        ) from error
    except (Exception, SystemExit) as error:
        raise ModelError(f"{name} (your code) cannot be imported: {_told(error)}") from error


def _import_apart(name: str, path: Path) -> ModuleType:
    """A file whose name another module has taken already (``json.py``, a second ``models.py``)."""
    alias = f"_speedwell_{name.rpartition('.')[2]}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if alias in sys.modules:
        return sys.modules[alias]
    spec = importlib.util.spec_from_file_location(alias, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[alias]
        raise
    return module


def _file_of(name: str, search_path: Sequence[str]) -> Path | None:
    for folder in search_path:
        base = Path(folder, *name.split("."))
        for path in (base / "__init__.py", base.with_name(base.name + ".py")):
            if path.is_file():
                return path
    return None


def takes(reference: str, search_path: Sequence[str], name: str) -> bool:
    """True where what "module:callable" names has a parameter ``name``."""
    found, _ = find_factory(reference, search_path)
    return any(p.name == name for p in _parameters(found))


def _wanted(found: Any) -> list[str]:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in _parameters(found) if p.default is p.empty and p.kind not in kinds]


def _parameters(found: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(found).parameters.values())
    except (ValueError, TypeError):  # a callable written in C says nothing of itself; calling it will tell
        return []


def _told(error: BaseException) -> str:
    """The error in its own words, with the line of the user's code that it left from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "importlib" not in f.filename and not f.filename.startswith(str(Path(__file__).parent))]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{where}"


def _typename(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _place(module: ModuleType) -> str:
    return f"{module.__name__} ({module.__file__})" if getattr(module, "__file__", None) else module.__name__
