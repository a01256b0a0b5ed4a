"""``hf:path``: a Hugging Face folder on this disk, safetensors only, no code from the folder, never online."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import Model, Origin, TorchPayload, try_import
from ..core.errors import (
    ModelError,
    ModelNotFoundError,
    SpeedwellError,
    UnsafeModelError,
    UnsupportedModelError,
    UsageError,
    WeightsMismatchError,
)
from .factory import partial_signature, torch_versions
from .hf_hints import folder_hints, read_json
from .offline import go_offline, hushed
from .payload import WEIGHTS, new_payload, write_payload
from .weights import SHOWN, save_weights

if TYPE_CHECKING:
    import torch

__all__ = ["CONFIG", "TASKS", "HuggingFace", "from_config"]

PREFIX = "hf:"
CONFIG = "config.json"
TASKS = {
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForImageClassification": "AutoModelForImageClassification",
}


class HuggingFace:
    """A folder with ``config.json`` and ``*.safetensors`` of a text or image classifier.

    The payload holds its own ``config.json`` (``TorchPayload.reference`` is "config.json", inside the payload), so it
    can be rebuilt when the folder is gone. The module takes tensors and returns the logits tensor, in float32.
    """

    name = "hf"

    def claims(self, reference: str) -> bool:
        return reference.startswith(PREFIX)

    def load(self, reference: str, weights: Path | None, scratch: Path) -> Model:
        if weights is not None:
            raise UsageError(f"{reference} has its weights beside it; --weights is for a factory", "Leave it out.")
        folder = Path(reference.removeprefix(PREFIX)).expanduser()
        config = _checked_config(folder)
        auto = _auto_class(config, folder)
        network = _pretrained(folder, auto)
        from .hf_module import wrap

        module = wrap(network)
        payload = new_payload(scratch)
        clean = {k: v for k, v in config.items() if k not in ("_name_or_path", "torch_dtype", "dtype")}
        (payload / CONFIG).write_text(json.dumps(clean, indent=1))
        save_weights(module, payload / WEIGHTS)
        write_payload(payload, TorchPayload("hf", CONFIG, (), {"auto": auto}))
        origin = Origin("hf", reference, torch_versions("transformers"), folder_hints(folder, config))
        return Model.of("torch", payload, partial_signature(module), origin)


def from_config(folder: Path, auto: str) -> torch.nn.Module:
    """The wrapped network of a payload's ``config.json``, its weights not loaded yet."""
    if auto not in TASKS.values():
        raise UnsupportedModelError(f"{folder} asks for {auto!r}; there are {', '.join(TASKS.values())}")
    go_offline()
    transformers = try_import("transformers")
    from .hf_module import wrap

    try:
        config = transformers.AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        return wrap(getattr(transformers, auto).from_config(config, trust_remote_code=False).float())
    # transformers raises anything on a config it cannot use; its own words are kept
    except Exception as error:
        raise UnsupportedModelError(f"transformers cannot build the network of {folder}: {error}") from error


def _checked_config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise ModelNotFoundError(f"there is no folder {folder}", "hf: takes a folder on this disk, never a hub name.")
    path = folder / CONFIG
    if not path.is_file():
        raise ModelNotFoundError(
            f"{folder} holds no {CONFIG}",
            'Save one where the model is:   model.save_pretrained("folder"); tokenizer.save_pretrained("folder")',
        )
    config = read_json(path)
    if config.get("auto_map"):
        raise UnsafeModelError(
            f"cannot open {folder}: its config.json names code of its own (auto_map), and that would run.",
            "Where you trust that code, name it as yours:   speedwell accelerate my_package.models:build ...",
        )
    if config.get("quantization_config"):
        raise UnsupportedModelError(
            f"cannot open {folder}: its weights are quantized already ({config['quantization_config']!r:.80}).",
            "Give the float network; Speedwell quantizes it and measures what that costs.",
        )
    if not any(folder.glob("*.safetensors")):
        bins = sorted(p.name for p in (*folder.glob("*.bin"), *folder.glob("*.h5"), *folder.glob("*.msgpack")))
        if bins:
            code = (
                f"from transformers import AutoModel{_suffix(config)} as M; "
                f"M.from_pretrained({str(folder)!r}).save_pretrained({str(folder)!r})"
            )
            raise UnsafeModelError(
                f"cannot open {folder}: its weights are in {', '.join(bins[:3])}, and no safetensors lie there.",
                f"Where you trust it, save it once as safetensors:\n  python -c {shlex.quote(code)}",
            )
        raise ModelNotFoundError(f"{folder} holds no *.safetensors", 'Save them:   model.save_pretrained("folder")')
    for path in folder.glob("*.safetensors"):
        if path.is_symlink() and not path.exists():
            raise ModelNotFoundError(f"{path} is a link to nothing", "Download the model whole.")
    return config


def _suffix(config: Mapping[str, Any]) -> str:
    return next((s for a in config.get("architectures") or () for s in TASKS if str(a).endswith(s)), "")


def _auto_class(config: Mapping[str, Any], folder: Path) -> str:
    suffix = _suffix(config)
    if suffix:
        return TASKS[suffix]
    named = ", ".join(map(str, config.get("architectures") or ())) or "no architecture"
    raise UnsupportedModelError(
        f"cannot open {folder}: it holds {named}; Speedwell opens {' and '.join('*' + t for t in TASKS)}.",
        "An encoder with a head of your own goes by a factory:   speedwell accelerate my_package.models:build ...",
    )


def _pretrained(folder: Path, auto: str) -> Any:
    go_offline()
    transformers = try_import("transformers")
    try:
        with hushed(transformers):
            network, report = getattr(transformers, auto).from_pretrained(
                str(folder.resolve()), local_files_only=True, trust_remote_code=False, use_safetensors=True,
                output_loading_info=True,
            )  # fmt: skip
    except SpeedwellError:
        raise
    except RuntimeError as error:
        raise WeightsMismatchError(f"the weights in {folder} do not fit its config.json: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise UnsupportedModelError(f"transformers cannot open {folder}: {error}") from error
    except Exception as error:  # safetensors and pydantic raise classes of their own; their words are kept
        raise ModelError(f"{folder} cannot be opened: {type(error).__name__}: {error}") from error
    missing, misshapen = sorted(report["missing_keys"]), sorted(map(str, report["mismatched_keys"]))
    if missing or misshapen:
        names = missing or misshapen
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise WeightsMismatchError(
            f"{folder} lacks weights of the network that its config.json names: {', '.join(names[:SHOWN])}{more}",
            "They would be random. Save the whole trained model:   model.save_pretrained('folder')",
        )
    return network.float()
