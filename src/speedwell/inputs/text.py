"""``TextTransform``: any ``tokenizer.json``, truncated; batches padded to the longest text or to a fixed length."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from ..core.errors import DataError, DataNotFoundError, InputMismatchError, UsageError
from .transform import Transform, expect

__all__ = ["ROLES", "TextTransform"]

ROLES = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
MAX_LENGTH = 1 << 17
PAD_TOKENS = ("[PAD]", "<pad>", "<PAD>", "<|pad|>", "<|endoftext|>", "</s>")


@dataclass(frozen=True)
class TextTransform(Transform):
    """``roles``: what each of the model's inputs holds: role (``ROLES``) to input name; "input_ids" is needed.

    ``tokenizer``: the JSON text of a ``tokenizer.json`` (see ``TextTransform.read_tokenizer``); it is stored as that
    file. Its own truncation and padding settings are replaced by ``max_length`` tokens, special ones included, and by
    ``padding``: "longest" of the batch, or "max" = always ``max_length``. Pad id and side are read from it.
    ``dtype`` of the ids; ``mask_dtype`` where the attention mask's differs.

    ``encode`` takes a string or a pair of strings: {"ids": int32 [L]}, and "type_ids" where the model takes them.
    ``finish`` gives [N, L] per role.
    """

    kind: ClassVar[str] = "text"
    files: ClassVar[Mapping[str, str]] = {"tokenizer": "tokenizer.json"}

    roles: Mapping[str, str]
    tokenizer: str = field(repr=False)
    max_length: int = 128
    padding: Literal["longest", "max"] = "longest"
    dtype: str = "int64"
    mask_dtype: str = ""

    def __post_init__(self) -> None:
        expect(
            isinstance(self.roles, Mapping)
            and "input_ids" in self.roles
            and all(r in ROLES and isinstance(n, str) for r, n in self.roles.items())
            and len(set(self.roles.values())) == len(self.roles),
            f"roles are {self.roles!r}",
            f"Name one model input per role, input_ids at least; the roles are {', '.join(ROLES)}.",
        )
        expect(
            type(self.max_length) is int and 1 <= self.max_length <= MAX_LENGTH,
            f"max_length is {self.max_length!r}",
            f"Give a number of tokens from 1 to {MAX_LENGTH}.",
        )
        expect(self.padding in ("longest", "max"), f"padding is {self.padding!r}", "Use longest or max.")
        expect(self.dtype in ("int64", "int32"), f"dtype is {self.dtype!r}", "Token ids are int64 or int32.")
        masks = ("", "int64", "int32", "float32", "float16", "bool")
        expect(self.mask_dtype in masks, f"mask_dtype is {self.mask_dtype!r}")
        expect(
            isinstance(self.tokenizer, str) and isinstance(self._settings, dict),
            "the tokenizer is not the text of a tokenizer.json",
            "Save one with: tokenizer.save_pretrained(folder), and name folder/tokenizer.json.",
        )
        special = self._engine.num_special_tokens_to_add(False)
        expect(
            self.max_length > special or special == 0,
            f"max_length {self.max_length} leaves no room beside {special} special tokens",
            "Give a larger --max-length.",
        )

    @staticmethod
    def read_tokenizer(path: str | Path) -> str:
        """The text of a ``tokenizer.json`` (a folder that holds one is fine too). Raises a ``DataError``."""
        path = Path(path)
        file = path / "tokenizer.json" if path.is_dir() else path
        try:
            return file.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise DataNotFoundError(
                f"there is no tokenizer at {file}",
                'Save it with: AutoTokenizer.from_pretrained("...").save_pretrained("folder")',
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {file}: {error}") from error

    @property
    def ragged(self) -> tuple[str, ...]:
        return ("ids", "type_ids") if "token_type_ids" in self.roles else ("ids",)

    @property
    def pad_id(self) -> int:
        """From the tokenizer's padding settings, else its pad token, else 0."""
        padding = self._settings.get("padding")
        if isinstance(padding, dict) and isinstance(padding.get("pad_id"), int):
            return int(padding["pad_id"])
        for token in PAD_TOKENS:
            found = self._engine.token_to_id(token)
            if found is not None:
                return int(found)
        return 0

    @property
    def pads_left(self) -> bool:
        """True where the tokenizer declares padding before the text."""
        padding = self._settings.get("padding")
        return isinstance(padding, dict) and padding.get("direction") == "Left"

    def encode(self, raw: Any) -> dict[str, np.ndarray]:
        """{"ids": int32 [L]} and, where the model takes them, {"type_ids": int32 [L]}; 0 <= L <= ``max_length``."""
        if isinstance(raw, str):
            found = self._engine.encode(raw)
        elif isinstance(raw, (tuple, list)) and len(raw) == 2 and all(isinstance(t, str) for t in raw):
            found = self._engine.encode(raw[0], raw[1])
        else:
            raise InputMismatchError(f"a text is a {type(raw).__name__}", "Give a string, or a pair of strings.")
        encoded = {"ids": np.asarray(found.ids, np.int32)}
        if "token_type_ids" in self.roles:
            encoded["type_ids"] = np.asarray(found.type_ids, np.int32)
        return encoded

    def finish(self, encoded: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Each role's input, [N, L]: ids padded with ``pad_id``, the mask 1 on tokens and 0 on padding."""
        lengths = [len(e["ids"]) for e in encoded]
        # an empty text of a tokenizer without special tokens still needs one column: networks refuse length 0
        width = self.max_length if self.padding == "max" else max(*lengths, 1)
        n = len(encoded)
        ids = np.full((n, width), self.pad_id, self.dtype)
        types = np.zeros((n, width), self.dtype)
        mask = np.zeros((n, width), self.mask_dtype or self.dtype)
        for i, (sample, length) in enumerate(zip(encoded, lengths, strict=True)):
            at = slice(width - length, width) if self.pads_left else slice(0, length)
            ids[i, at] = sample["ids"]
            mask[i, at] = 1
            if "type_ids" in sample:
                types[i, at] = sample["type_ids"]
        positions = np.maximum(np.cumsum(mask.astype(np.int64), axis=1) - 1, 0).astype(self.dtype)
        whole = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types, "position_ids": positions}
        return {name: whole[role] for role, name in self.roles.items()}

    @functools.cached_property
    def _settings(self) -> dict[str, Any]:
        try:
            found = json.loads(self.tokenizer)
        except ValueError as error:
            raise UsageError(f"the tokenizer is not JSON: {error}", "Name a tokenizer.json.") from error
        return dict(found) if isinstance(found, dict) else {}

    @functools.cached_property
    def _engine(self) -> Any:
        from tokenizers import Tokenizer

        try:
            engine = Tokenizer.from_str(self.tokenizer)
        except Exception as error:  # tokenizers raises plain Exception
            raise UsageError(f"the tokenizer cannot be used: {error}", "Name a whole tokenizer.json.") from error
        engine.no_padding()
        engine.enable_truncation(self.max_length)
        return engine

    def __getstate__(self) -> dict[str, Any]:
        """Without the built tokenizer: it is made again where the record arrives."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_engine", "_settings")}
