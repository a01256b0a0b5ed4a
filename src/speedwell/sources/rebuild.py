"""``build_module``: the live network of a torch form, in eval mode, its weights loaded strict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import Model, TorchPayload, try_import
from ..core.errors import ModelError, UnsupportedModelError
from ..networks import build_network
from .factory_code import call_factory
from .hf import from_config
from .live import open_live
from .payload import WEIGHTS, read_payload
from .timm import create
from .weights import load_weights

if TYPE_CHECKING:
    import torch

__all__ = ["BUILDERS", "build_module"]


def build_module(model: Model, trainable: bool = False) -> torch.nn.Module:
    """Build, replay the edits, load the weights strict, on the CPU; in evaluation mode and without gradients, or, where
    ``trainable``, as it was built.

    Raises a ``ModelError``: an ONNX form, an unknown builder or edit, user code that fails, weights that do not fit.
    """
    if model.form != "torch":
        raise UnsupportedModelError(f"a model of the {model.form} form has no torch module")
    try_import("torch")
    payload = read_payload(model.payload)
    if payload.builder not in BUILDERS:
        raise UnsupportedModelError(
            f"no builder named {payload.builder!r}", f"There are: {', '.join(BUILDERS)}. Is Speedwell older than this?"
        )
    module = BUILDERS[payload.builder](model.payload, payload)
    for edit in payload.edits:
        raise ModelError(f"no pass replays the edit {dict(edit)!r}", "Is Speedwell older than this model?")
    load_weights(module, model.payload / WEIGHTS)
    if trainable:
        return module
    module.requires_grad_(False)
    return module.eval()


def _factory(folder: Path, payload: TorchPayload) -> torch.nn.Module:  # noqa: ARG001 - one signature for all builders
    return call_factory(payload.reference, payload.search_path, payload.arguments)[0]


def _network(folder: Path, payload: TorchPayload) -> torch.nn.Module:  # noqa: ARG001
    return build_network(payload.reference, **payload.arguments)


def _hf(folder: Path, payload: TorchPayload) -> torch.nn.Module:
    return from_config(folder, str(payload.arguments.get("auto")))


def _timm(folder: Path, payload: TorchPayload) -> torch.nn.Module:  # noqa: ARG001
    return create(payload.reference, dict(payload.arguments))


def _live(folder: Path, payload: TorchPayload) -> torch.nn.Module:
    import sys

    # after what this process has, so that nothing of ours is shadowed
    sys.path.extend(p for p in payload.search_path if p not in sys.path)
    return open_live(folder)


BUILDERS: dict[str, Callable[[Path, TorchPayload], torch.nn.Module]] = {
    "factory": _factory,
    "hf": _hf,
    "network": _network,
    "timm": _timm,
    "live": _live,
}
