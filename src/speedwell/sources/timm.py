"""``timm:name@weights.safetensors``: a network of the timm library with weights from a local file; never online."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import Model, Origin, TorchPayload, try_import
from ..core.errors import ModelNotFoundError, UnsupportedModelError, UsageError
from .factory import apply_weights, partial_signature, torch_versions
from .offline import go_offline
from .payload import WEIGHTS, new_payload, write_payload
from .refuse import refuse_unsafe
from .state_dict import convert_weights
from .weights import read_safetensors, save_weights

if TYPE_CHECKING:
    import torch

__all__ = ["NAME", "PREFIX", "Timm", "create", "timm_hints"]

PREFIX = "timm:"
NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")
"""A name of timm's registry, with or without a tag. "hf-hub:..." and "local-dir:..." would look elsewhere."""


class Timm:
    """The number of classes is read from the weights; mean, std, size and crop from timm's own settings."""

    name = "timm"

    def claims(self, reference: str) -> bool:
        return reference.startswith(PREFIX)

    def load(self, reference: str, weights: Path | None, scratch: Path) -> Model:
        name, _, file = reference.removeprefix(PREFIX).partition("@")
        if file and weights is not None:
            raise UsageError(f"weights are named twice: {file} and {weights}", "Leave one of them out.")
        path = Path(file).expanduser() if file else weights
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no timm name", "For example timm:resnet50@resnet50.safetensors")
        if path is None:
            raise UsageError(
                f"{reference} names no weights, and Speedwell fetches none",
                f"Download them once, then:   speedwell accelerate timm:{name}@weights.safetensors ...",
            )
        if not path.is_file():
            raise ModelNotFoundError(f"there is no weights file {path}")
        refuse_unsafe(path, role="weights")
        folder = new_payload(scratch)
        if path.suffix.lower() != ".safetensors":
            path = convert_weights(path, folder / WEIGHTS)
        arguments = _arguments(name, path)
        network = create(name, arguments)
        apply_weights(network, path, folder)
        save_weights(network, folder / WEIGHTS)
        write_payload(folder, TorchPayload("timm", name, (), arguments))
        origin = Origin("timm", reference, torch_versions("timm"), timm_hints(network))
        return Model.of("torch", folder, partial_signature(network), origin)


def create(name: str, arguments: dict[str, Any]) -> torch.nn.Module:
    """The network without weights. Raises ``UnsupportedModelError`` with timm's own words."""
    go_offline()
    timm = try_import("timm")
    if not timm.is_model(name.partition(".")[0]):
        near = ", ".join(timm.list_models(f"*{name.partition('.')[0][:6]}*")[:5])
        raise UnsupportedModelError(f"timm knows no network {name!r}", f"Near it: {near}" if near else "")
    try:
        network: torch.nn.Module = timm.create_model(name, pretrained=False, **arguments)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise UnsupportedModelError(f"timm cannot build {name!r}: {error}") from error
    return network


def _arguments(name: str, path: Path) -> dict[str, Any]:
    """{"num_classes": n} where the classifier in the file is of another size than timm's default."""
    network = create(name, {})
    head = getattr(network, "pretrained_cfg", {}).get("classifier")
    if not isinstance(head, str):
        return {}
    found = read_safetensors(path).get(f"{head}.weight")
    own = network.state_dict().get(f"{head}.weight")
    if found is None or own is None or found.shape[:1] == own.shape[:1]:
        return {}
    return {"num_classes": int(found.shape[0])}


def timm_hints(network: torch.nn.Module) -> dict[str, Any]:
    """What timm's own settings say of preprocessing and labels."""
    settings = getattr(network, "pretrained_cfg", {})
    channels, height, width = settings.get("input_size", (3, 224, 224))
    crop = float(settings.get("crop_pct") or 0.875)
    image: dict[str, Any] = {
        "size": [height, width],
        "resize": "shortest",
        "resize_to": int(min(height, width) / crop),
        "crop": "center",
        "interpolation": settings.get("interpolation", "bicubic"),
        "layout": "nchw",
        "colour": "gray" if channels == 1 else "rgb",
    }
    for key in ("mean", "std"):
        if settings.get(key):
            image[key] = [float(v) for v in settings[key]]
    hints: dict[str, Any] = {"image": image}
    if names := settings.get("label_names"):
        hints["classes"] = [str(n) for n in names]
    return hints
