"""A live ``nn.Module`` given in Python travels to the workers by cloudpickle, in the run's own folder only.

It never enters a cache or a bundle; a resumed run needs the same object again (compare the weights' digest).
"""

from __future__ import annotations

import importlib.machinery
import os
import pickle
import stat
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from ..core import Model, Origin, TorchPayload, path_digest, try_import
from ..core.errors import ModelError, UnsafeModelError, UnsupportedModelError
from .factory import declared_hints, partial_signature, torch_versions
from .payload import WEIGHTS, new_payload, write_payload
from .weights import save_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["PICKLE", "open_live", "save_live"]

PICKLE = "module.pkl"
WAY = "Name what builds it instead:   speedwell.accelerate('my_package.models:build', ...)"


def save_live(module: torch.nn.Module, scratch: Path) -> Model:
    """Write ``module`` as it is now (its mode and place are kept; the model is rebuilt in eval mode on the CPU). What
    it declares (``preprocessing``, ``classes``, ``detection``) becomes hints, as of a factory's network.

    ``scratch`` must be the run's own folder; what is written there is readable by the user only.
    Raises ``UnsupportedModelError`` for what is no module or cannot travel.
    """
    kinds = try_import("torch").nn.Module
    cloudpickle = try_import("cloudpickle")
    if not isinstance(module, kinds):
        raise UnsupportedModelError(f"a {type(module).__name__} is no torch.nn.Module", "Give a module or a reference.")
    module = _bare(module)
    folder = new_payload(scratch)
    unfound = _unimportable(module)
    try:
        for name in unfound:
            cloudpickle.register_pickle_by_value(name)
        data = cloudpickle.dumps(module)
    # pickling runs the objects' own __reduce__: whatever they raise is told
    except Exception as error:
        raise UnsupportedModelError(
            f"this {type(module).__name__} cannot travel to the worker processes: {error}", WAY
        ) from error
    finally:
        for name in unfound:
            cloudpickle.unregister_pickle_by_value(name)
    descriptor = os.open(folder / PICKLE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    save_weights(module, folder / WEIGHTS)
    kind = f"{type(module).__module__}.{type(module).__qualname__}"
    search_path = tuple(dict.fromkeys(os.path.abspath(p) for p in sys.path if os.path.isdir(p or ".")))
    # modules made by one class differ by their weights: the digest names them for --resume
    arguments = {"weights": path_digest(folder / WEIGHTS)}
    write_payload(folder, TorchPayload("live", kind, search_path, arguments))
    top = type(module).__module__.partition(".")[0]
    origin = Origin("live", kind, torch_versions(top), declared_hints((module,), None))
    return Model.of("torch", folder, partial_signature(module), origin)


def open_live(folder: Path) -> torch.nn.Module:
    """What ``save_live`` wrote. Refuses a pickle that others could have changed (``UnsafeModelError``)."""
    try_import("cloudpickle")
    torch = try_import("torch")
    path = folder / PICKLE
    for place in (folder, path):
        status = os.lstat(place)
        if stat.S_ISLNK(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise UnsafeModelError(
                f"{place} is not yours alone, and opening it can run code.", "Start the run again in a folder of yours."
            )
    try:
        # our own file, in our own 0700 folder, made in this run: the one pickle that Speedwell opens
        module = pickle.loads(path.read_bytes())
    except Exception as error:
        raise ModelError(f"the live module cannot be opened in the worker: {error}", WAY) from error
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"{path} holds a {type(module).__name__}, not a module", WAY)
    return cast("nn.Module", module.cpu())


def _bare(module: torch.nn.Module) -> torch.nn.Module:
    """Without the wrappers that belong to one process: torch.compile, DataParallel."""
    import torch

    parallel = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(inner := getattr(module, "_orig_mod", None), torch.nn.Module):
            module = inner
        elif isinstance(module, parallel):
            module = cast("nn.Module", module.module)
        else:
            return module


def _unimportable(module: torch.nn.Module) -> list[ModuleType]:
    """Python modules that a worker could not import by name: their classes travel by value."""
    found: dict[str, ModuleType] = {}
    for part in module.modules():
        name = type(part).__module__
        if name in found or name == "__main__" or name not in sys.modules:
            continue
        if not _importable(name):
            found[name] = sys.modules[name]
    return list(found.values())


def _importable(name: str) -> bool:
    loaded = sys.modules[name]
    spec = getattr(loaded, "__spec__", None)
    if spec is not None and spec.origin in ("built-in", "frozen"):
        return True
    # find_spec would answer from sys.modules; what counts is what a fresh process finds on the path
    parts, paths = name.split("."), None
    for part in parts:
        found = importlib.machinery.PathFinder.find_spec(part, paths)
        if found is None:
            return False
        paths = list(found.submodule_search_locations or [])
    return found is not None and found.origin == getattr(loaded, "__file__", None)
