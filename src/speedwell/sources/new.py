"""``new_model``: a network to be trained, with random or given weights and as many outputs as the data has classes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import Model, Origin, TorchPayload, try_import
from ..core.errors import ModelNotFoundError, UnsupportedModelError, UsageError
from ..networks import NETWORKS, build_network
from .factory import Factory, apply_weights, partial_signature, read_hints, torch_versions
from .factory_code import call_factory, split_reference, takes
from .hf import CONFIG, TASKS, HuggingFace
from .hf_hints import folder_hints, read_json
from .offline import go_offline, hushed
from .payload import WEIGHTS, new_payload, write_payload
from .timm import NAME, PREFIX, create, timm_hints
from .trained import Trained
from .weights import save_weights

if TYPE_CHECKING:
    import torch

__all__ = ["new_model"]


def new_model(
    reference: str,
    scratch: Path,
    classes: Sequence[str],
    arguments: Mapping[str, Any] | None = None,
    weights: Path | None = None,
) -> Model:
    """A torch model under ``scratch``, random numbers from torch's generator.

    ``reference``: a built-in network's name; "module:factory" (called with ``classes=len(classes)`` where it takes
    that); "timm:name"; "hf:folder" (its body with a new head where the classes differ); or a folder that
    ``speedwell train`` left. ``arguments``: for the network's own function. ``weights``: to begin from.
    Raises a ``ModelError`` or ``UsageError``.
    """
    given = dict(arguments or {})
    if reference in NETWORKS:
        given.setdefault("classes", len(classes))
        network = build_network(reference, **given)
        payload = TorchPayload("network", reference, (), given)
        return _written(
            network, payload, Origin("network", reference, torch_versions(), _told(network)), scratch, weights
        )
    if Trained().claims(reference):
        return _as_it_is(Trained().load(reference, weights, scratch), reference, given)
    if reference.startswith("hf:"):
        if weights is not None or given:
            raise UsageError(f"{reference} has its weights and settings beside it", "Leave --weights and --arg out.")
        return _fine_tuned(reference, scratch, classes)
    if reference.startswith(PREFIX):
        name, _, file = reference.removeprefix(PREFIX).partition("@")
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no timm name", "For example timm:resnet18")
        given.setdefault("num_classes", len(classes))
        network = create(name, given)
        origin = Origin("timm", reference, torch_versions("timm"), timm_hints(network))
        start = Path(file).expanduser() if file else weights
        return _written(network, TorchPayload("timm", name, (), given), origin, scratch, start)
    if not Factory().claims(reference):
        raise ModelNotFoundError(
            f"there is no network {reference!r}",
            f"Name a built-in ({', '.join(NETWORKS)}), package.module:build, file.py:build, hf:folder or timm:name.",
        )
    called, search_path = split_reference(reference)
    if takes(called, search_path, "classes"):
        given.setdefault("classes", len(classes))
    network, found, module = call_factory(called, search_path, given)
    package = module.__name__.partition(".")[0]
    origin = Origin("factory", reference, torch_versions(package), read_hints((found, network, module), module))
    return _written(network, TorchPayload("factory", called, search_path, given), origin, scratch, weights)


def _written(
    network: torch.nn.Module, payload: TorchPayload, origin: Origin, scratch: Path, weights: Path | None
) -> Model:
    folder = new_payload(scratch)
    if weights is not None:
        if not weights.is_file():
            raise ModelNotFoundError(f"there is no weights file {weights}")
        apply_weights(network, weights, folder)
    save_weights(network, folder / WEIGHTS)
    write_payload(folder, payload)
    return Model.of("torch", folder, partial_signature(network), origin)


def _as_it_is(model: Model, reference: str, arguments: Mapping[str, Any]) -> Model:
    if arguments:
        raise UsageError(f"{reference} is built already", f"It takes no arguments; leave {sorted(arguments)} out.")
    return model


def _fine_tuned(reference: str, scratch: Path, classes: Sequence[str]) -> Model:
    """The folder's body; its head too, where it has one for as many classes, else a new one."""
    folder = Path(reference.removeprefix("hf:")).expanduser()
    if not (folder / CONFIG).is_file():
        raise ModelNotFoundError(f"{folder} holds no {CONFIG}", "hf: takes a folder on this disk, never a hub name.")
    config = read_json(folder / CONFIG)
    if any(str(a).endswith(t) for a in config.get("architectures") or () for t in TASKS):
        names = config.get("id2label") or {}
        if len(names) == len(classes):
            return HuggingFace().load(reference, None, scratch)
    if config.get("auto_map"):
        raise UnsupportedModelError(f"{folder} names code of its own (auto_map)", "Name it as a factory of yours.")
    go_offline()
    transformers = try_import("transformers")
    image = "image_size" in config or (folder / "preprocessor_config.json").is_file()
    auto = TASKS["ForImageClassification" if image else "ForSequenceClassification"]
    from .hf_module import wrap

    try:
        with hushed(transformers):
            network = getattr(transformers, auto).from_pretrained(
                str(folder.resolve()), local_files_only=True, trust_remote_code=False, use_safetensors=True,
                num_labels=len(classes), ignore_mismatched_sizes=True,
            )  # fmt: skip
    # transformers raises classes of its own for a folder that it cannot use; its own words are kept
    except Exception as error:
        raise UnsupportedModelError(f"transformers cannot build a classifier on {folder}: {error}") from error
    module = wrap(network.float())
    payload = new_payload(scratch)
    told = network.config.to_dict()
    told |= {"id2label": dict(enumerate(classes)), "label2id": {c: i for i, c in enumerate(classes)}}
    clean = {k: v for k, v in told.items() if k not in ("_name_or_path", "torch_dtype", "dtype")}
    (payload / CONFIG).write_text(json.dumps(clean, indent=1, default=str))
    save_weights(module, payload / WEIGHTS)
    write_payload(payload, TorchPayload("hf", CONFIG, (), {"auto": auto}))
    hints = {k: v for k, v in folder_hints(folder, config).items() if k != "classes"}
    origin = Origin("hf", reference, torch_versions("transformers"), hints)
    return Model.of("torch", payload, partial_signature(module), origin)


def _told(network: torch.nn.Module) -> dict[str, Any]:
    """What a built-in says of itself: preprocessing, and how its outputs become boxes."""
    hints: dict[str, Any] = dict(getattr(network, "preprocessing", None) or {})
    if detection := getattr(network, "detection", None):
        hints["detection"] = dict(detection)
    return hints
