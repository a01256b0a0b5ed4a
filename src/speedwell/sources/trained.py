"""What ``speedwell train`` leaves: a torch payload with the words about its preprocessing and classes beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core import Model, Origin, decode, encode
from ..core.atomic import whole_folder
from ..core.errors import ModelNotFoundError, UnsupportedModelError, UsageError
from .factory import partial_signature
from .payload import MODULE, WEIGHTS, new_payload, read_payload
from .rebuild import build_module

__all__ = ["Trained", "save_trained"]

ORIGIN = "origin.json"
TOKENIZER = "tokenizer.json"
SCHEMA = 1


class Trained:
    """A folder with ``module.json``, ``weights.safetensors`` and ``origin.json``, or one with such a ``model/``."""

    name = "trained"

    def claims(self, reference: str) -> bool:
        return _payload_of(reference) is not None

    def load(self, reference: str, weights: Path | None, scratch: Path) -> Model:
        found = _payload_of(reference)
        if found is None:
            raise ModelNotFoundError(f"{reference} holds no trained network ({ORIGIN} and {MODULE})")
        if weights is not None:
            raise UsageError(f"{reference} has its weights beside it; --weights is for a factory", "Leave it out.")
        read_payload(found)
        origin = _read_origin(found / ORIGIN)
        folder = new_payload(scratch)
        for name in (MODULE, WEIGHTS, TOKENIZER, "config.json"):
            if (found / name).is_file():
                shutil.copyfile(found / name, folder / name)
        hints = dict(origin.hints)
        if "text" in hints and (folder / TOKENIZER).is_file():
            hints["text"] = {**hints["text"], "tokenizer": str(folder / TOKENIZER)}
        origin = Origin(origin.kind, reference, origin.versions, hints)
        # the payload is whole now: the module says what its inputs are called
        model = Model.of("torch", folder, partial_signature(_built(folder, origin)), origin)
        return model


def save_trained(model: Model, weights: Path, folder: Path, hints: Mapping[str, Any]) -> None:
    """Write ``model``'s payload with other ``weights`` (safetensors) and its ``hints`` to ``folder``, which appears
    whole or not at all. A tokenizer that the hints name goes along.
    """
    with whole_folder(folder) as part:
        shutil.copytree(model.payload, part, dirs_exist_ok=True)
        shutil.copyfile(weights, part / WEIGHTS)
        told = {k: v for k, v in hints.items() if v is not None}
        text = dict(told.get("text") or {})
        if text.get("tokenizer"):
            if Path(text["tokenizer"]).resolve() != (part / TOKENIZER).resolve():
                shutil.copyfile(text["tokenizer"], part / TOKENIZER)
            told["text"] = {**text, "tokenizer": TOKENIZER}
        record = encode(Origin(model.origin.kind, model.origin.reference, model.origin.versions, told))
        (part / ORIGIN).write_text(json.dumps({"schema": SCHEMA, "origin": record}, indent=1, allow_nan=False) + "\n")


def _payload_of(reference: str) -> Path | None:
    path = Path(reference).expanduser()
    for folder in (path, path / "model"):
        if (folder / ORIGIN).is_file() and (folder / MODULE).is_file():
            return folder
    return None


def _read_origin(path: Path) -> Origin:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema"] != SCHEMA:
            raise UnsupportedModelError(f"{path} is of another version of Speedwell")
        origin: Origin = decode(Origin, record["origin"])
        if not isinstance(origin.hints, Mapping):
            raise TypeError("its hints are no object")
        return origin
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnsupportedModelError(f"{path} cannot be read: {error}") from error


def _built(folder: Path, origin: Origin) -> Any:
    from ..core import Signature

    return build_module(Model.of("torch", folder, Signature((), ()), origin))
