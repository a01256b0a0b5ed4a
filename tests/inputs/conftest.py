from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image


def jpeg(pixels: np.ndarray, kind: str = "JPEG", **settings: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind, **settings)
    return data.getvalue()


@pytest.fixture(scope="session")
def digits() -> tuple[list[bytes], list[int]]:
    """200 real scans of digits (scikit-learn), 16x16 gray, as JPEG files; and what they show."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    files = [jpeg(np.kron(x.reshape(8, 8) * 15.9, np.ones((2, 2))).astype(np.uint8)) for x in images[:200]]
    return files, [int(y) for y in labels[:200]]


@pytest.fixture(scope="session")
def tokenizer() -> str:
    """A small real WordPiece tokenizer.json with special tokens, truncation and fixed padding of its own."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "the", "card", "money", "is", "lost", "pay", "##ment", "?"]
    made = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.enable_truncation(5)
    made.enable_padding(length=32, pad_id=0, pad_token="[PAD]")
    return str(made.to_str())


def png(height: int, width: int, seed: int = 0) -> bytes:
    """A PNG file of random pixels."""
    return jpeg(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8), "PNG")
