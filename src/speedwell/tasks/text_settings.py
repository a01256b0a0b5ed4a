"""How texts become a model's inputs: which input is what, which tokenizer, how long."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..core.errors import InputMismatchError, UsageError
from ..core.model import Model
from ..core.signature import TensorSpec
from ..inputs import TextTransform
from .reading import options_of

__all__ = ["TEXT_OPTIONS", "find_roles", "text_transform"]

TEXT_OPTIONS = frozenset({"tokenizer", "max_length", "padding", "dtype", "mask_dtype"})
DEFAULT_LENGTH = 128
IDS = ("input_ids", "ids", "tokens", "token_ids", "input_word_ids", "input", "inputs", "text")


def text_transform(model: Model, options: Mapping[str, Any]) -> TextTransform:
    """The declared transform; what was guessed is on its ``assumed``, in words.

    ``options``: ``tokenizer`` (path of a tokenizer.json or its folder, or its JSON text), ``max_length``, ``padding``,
    and ``preprocessing`` (a JSON file or mapping of them). A fixed sequence axis gives max_length and padding "max".
    Raises ``UsageError`` without a tokenizer, ``InputMismatchError`` for inputs that no text fills.
    """
    inputs = model.signature.inputs
    roles = find_roles(inputs)
    user = options_of(options, "text", TEXT_OPTIONS)
    hints = {k: v for k, v in dict(model.origin.hints.get("text") or {}).items() if k in TEXT_OPTIONS}
    said = {**hints, **user}
    where = said.get("tokenizer")
    if not where:
        raise UsageError(
            "no tokenizer is known for this model",
            "Name its tokenizer.json with --tokenizer; transformers writes it: tokenizer.save_pretrained(folder).",
        )
    tokenizer = str(where) if str(where).lstrip().startswith("{") else TextTransform.read_tokenizer(where)
    specs = {role: next(t for t in inputs if t.name == name) for role, name in roles.items()}
    ids = specs["input_ids"]
    assumed: list[str] = []
    fixed = ids.shape[1] if len(ids.shape) == 2 and isinstance(ids.shape[1], int) and ids.shape[1] > 0 else 0
    length = said.get("max_length")
    if length is not None:
        try:
            length = int(length)
        except (TypeError, ValueError) as error:
            raise UsageError(f"max_length is {length!r}", "Give a number of tokens.") from error
    if fixed and length not in (None, fixed) and "max_length" in user:
        raise InputMismatchError(
            f"max_length is {length}, the model takes exactly {fixed} tokens", f"Use --max-length {fixed}."
        )
    if fixed:
        length = fixed
    elif length is None:
        length = _own_length(tokenizer)
        if length is None:
            length = DEFAULT_LENGTH
            assumed.append(f"no max_length given: texts are cut at {length} tokens")
    mask = specs.get("attention_mask")
    mask_dtype = said.get("mask_dtype") or (mask.dtype if mask and mask.shape and mask.dtype != ids.dtype else "")
    return TextTransform(
        roles=roles,
        tokenizer=tokenizer,
        max_length=length,
        padding="max" if fixed else said.get("padding") or "longest",
        dtype=str(said.get("dtype") or (ids.dtype if ids.shape else "int64")),
        mask_dtype=str(mask_dtype),
        assumed=tuple(assumed),
    )


def find_roles(inputs: tuple[TensorSpec, ...]) -> dict[str, str]:
    """Role to input name, by the names (input_ids/ids/tokens, ...mask..., token_type_ids/segment..., ...position...).

    Raises ``InputMismatchError`` listing inputs that have no role.
    """
    roles: dict[str, str] = {}
    unknown = []
    for spec in inputs:
        name = spec.name.lower().rsplit("/", 1)[-1].partition(":")[0]
        if "mask" in name:
            role = "attention_mask"
        elif "type" in name or "segment" in name:
            role = "token_type_ids"
        elif "position" in name:
            role = "position_ids"
        elif name in IDS or "input_ids" in name or (len(inputs) == 1 and spec.dtype in ("int64", "int32", "float32")):
            role = "input_ids"
        else:
            unknown.append(spec.name)
            continue
        if role in roles:
            unknown.append(spec.name)
        else:
            roles[role] = spec.name
    ids = next((t for t in inputs if t.name == roles.get("input_ids")), None)
    wrong_rank = ids is not None and ids.shape != () and (len(ids.shape) != 2 or not ids.dtype.startswith("int"))
    if unknown or ids is None or wrong_rank:
        told = ", ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in inputs)
        raise InputMismatchError(
            f"the model's inputs are not those of a text model: {told}",
            "A text model takes integer ids [batch, sequence] named input_ids, and a mask; else use --task custom.",
        )
    return roles


def _own_length(tokenizer: str) -> int | None:
    """The tokenizer's own truncation length; None where it has none (or is no JSON, which the transform reports)."""
    try:
        truncation = json.loads(tokenizer).get("truncation")
    except (ValueError, AttributeError):
        return None
    length = truncation.get("max_length") if isinstance(truncation, dict) else None
    return length if isinstance(length, int) and length > 0 else None
