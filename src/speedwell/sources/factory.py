"""``package.module:callable`` or ``path/to/file.py:callable``: the user's own code builds the network."""

from __future__ import annotations

import functools
import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..core import Model, Origin, Signature, TensorSpec, TorchPayload
from ..core.errors import ModelNotFoundError, UnsupportedModelError
from .call import TEXT_ROLES, forward_names
from .factory_code import REFERENCE, call_factory, split_reference
from .payload import WEIGHTS, new_payload, write_payload
from .refuse import refuse_unsafe
from .state_dict import convert_weights
from .weights import load_weights, save_weights

if TYPE_CHECKING:
    import torch

__all__ = ["Factory", "apply_weights", "declared_hints", "partial_signature", "read_hints", "torch_versions"]


class Factory:
    """Calls what the reference names, in this process; the folder of the file and the working folder are searched.

    ``build.preprocessing = {"image": {...}}`` or ``{"text": {...}}``, ``build.classes = [...]`` and, of a detector,
    ``build.detection = {"style": ...}``, on the callable, the network or the Python module, become the origin's hints.
    """

    name = "factory"

    def claims(self, reference: str) -> bool:
        return REFERENCE.fullmatch(reference) is not None and not reference.startswith(("hf:", "timm:"))

    def load(self, reference: str, weights: Path | None, scratch: Path) -> Model:
        called, search_path = split_reference(reference)
        if weights is not None and not weights.is_file():
            raise ModelNotFoundError(f"there is no weights file {weights}")
        network, found, module = call_factory(called, search_path)
        folder = new_payload(scratch)
        if weights is not None:
            apply_weights(network, weights, folder)
        save_weights(network, folder / WEIGHTS)
        write_payload(folder, TorchPayload("factory", called, search_path))
        versions = torch_versions(module.__name__.partition(".")[0])
        origin = Origin("factory", reference, versions, read_hints((found, network, module), module))
        return Model.of("torch", folder, partial_signature(network), origin)


def apply_weights(network: torch.nn.Module, weights: Path, scratch: Path) -> None:
    """Load safetensors, or a torch state dict converted on the way, strict."""
    refuse_unsafe(weights, role="weights")
    if weights.suffix.lower() == ".safetensors":
        load_weights(network, weights)
        return
    converted = convert_weights(weights, scratch / f".{weights.stem}" / weights.with_suffix(".safetensors").name)
    try:
        load_weights(network, converted)
    finally:
        shutil.rmtree(converted.parent)


def partial_signature(network: torch.nn.Module) -> Signature:
    """The inputs by name; shapes empty until ``complete_signature`` has seen an example, outputs unknown."""
    names = forward_names(network)
    if not names:
        raise UnsupportedModelError(f"the forward of {type(network).__name__} takes no input")
    return Signature(tuple(TensorSpec(n, "int64" if n in TEXT_ROLES else "float32", ()) for n in names), ())


def torch_versions(*packages: str) -> dict[str, str]:
    """Versions of Python, torch and the distributions that hold ``packages`` (what is not installed is left out)."""
    found = {"python": platform.python_version()}
    for package in ("torch", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a package named otherwise than its distribution, or the user's own file
            for distribution in _owners().get(package, [])[:1]:
                found[distribution] = version(distribution)
    return found


@functools.cache
def _owners() -> Mapping[str, list[str]]:
    return packages_distributions()


def read_hints(places: Sequence[Any], module: ModuleType) -> dict[str, Any]:
    """What the user's callable, network and Python module say of preprocessing and classes."""
    return declared_hints(places, _folder(module))


def _folder(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).parent if file else None


def declared_hints(places: Sequence[Any], folder: Path | None) -> dict[str, Any]:
    """What ``places`` say of preprocessing, classes and boxes, the first ones first, as plain JSON. ``folder``: where
    a tokenizer's path is relative to. Raises ``UnsupportedModelError`` for what is not plain.
    """
    hints: dict[str, Any] = {}
    for place in places:
        # nn.Module answers getattr for parameters only, so a plain look-up is safe on all three
        declared = getattr(place, "preprocessing", None)
        if isinstance(declared, Mapping):
            hints = {**{k: v for k, v in declared.items() if k in ("image", "text")}, **hints}
        detection = getattr(place, "detection", None)
        if isinstance(detection, Mapping):
            hints = {"detection": dict(detection), **hints}
        classes: Any = getattr(place, "classes", None)
        if "classes" not in hints and _is_names(classes):
            hints["classes"] = [str(c) for c in classes]
    try:
        hints = json.loads(json.dumps(hints, default=_plain, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UnsupportedModelError(
            f"the factory's preprocessing is not plain JSON: {error}",
            'Write numbers, strings and lists:   build.preprocessing = {"image": {"size": 224, "mean": [...]}}',
        ) from error
    tokenizer = hints.get("text", {}).get("tokenizer")
    if tokenizer and folder and not Path(tokenizer).exists() and (folder / tokenizer).exists():
        hints["text"]["tokenizer"] = str(folder / tokenizer)
    return hints


def _is_names(classes: Any) -> bool:
    return hasattr(classes, "__len__") and not isinstance(classes, (str, bytes, Mapping)) and len(classes) > 0


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a {type(value).__name__}")
