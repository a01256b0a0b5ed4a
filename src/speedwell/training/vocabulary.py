"""A tokenizer learnt from the training texts, for networks that begin from nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["VOCABULARY", "learn_tokenizer"]

VOCABULARY = 8000
SPECIAL = ("[PAD]", "[CLS]", "[SEP]")


def learn_tokenizer(texts: Iterable[Any], path: Path, size: int = VOCABULARY) -> Path:
    """Write a ``tokenizer.json`` of at most ``size`` byte pairs (Sennrich et al. 2015, arXiv:1508.07909) and never less
    than the 256 bytes: lower case, "[CLS] text [SEP]", nothing unknown. A pair of texts counts as two.

    The same texts give the same file. (WordPiece would be the encoder's usual choice; its trainer numbers pieces in the
    order of a hash table, so that no training could be repeated.)
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_flat(texts), trainer)
    numbers = {name: tokenizer.token_to_id(name) for name in SPECIAL}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])],
    )
    tokenizer.enable_padding(pad_id=numbers["[PAD]"], pad_token="[PAD]")
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return path


def _flat(texts: Iterable[Any]) -> Iterator[str]:
    for text in texts:
        if isinstance(text, str):
            yield text
        else:
            yield from text
