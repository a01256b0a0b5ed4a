from __future__ import annotations

import json

import pytest

from speedwell.core import TensorSpec
from speedwell.core.errors import InputMismatchError, UsageError
from speedwell.tasks.text_settings import find_roles, text_transform


def specs(*names, dtype="int64", shape=("batch", "sequence")):
    return tuple(TensorSpec(n, dtype, shape) for n in names)


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("input_ids",), {"input_ids": "input_ids"}),
        (("anything",), {"input_ids": "anything"}),
        (("tokens", "mask"), {"input_ids": "tokens", "attention_mask": "mask"}),
        (
            ("input_word_ids:0", "input_mask:0", "segment_ids:0"),
            {"input_ids": "input_word_ids:0", "attention_mask": "input_mask:0", "token_type_ids": "segment_ids:0"},
        ),
        (("ids", "input_type_ids", "position_ids"),
         {"input_ids": "ids", "token_type_ids": "input_type_ids", "position_ids": "position_ids"}),
    ],
)  # fmt: skip
def test_roles_are_found_by_name(names, roles):
    assert find_roles(specs(*names)) == roles


def test_inputs_without_a_role_are_listed():
    for wrong in (specs("input_ids", "speed"), specs("mask"), specs("a", "b"), specs("x", dtype="float32"),
                  specs("input_ids", shape=("n",)), specs("mask1", "mask2", "ids")):  # fmt: skip
        with pytest.raises(InputMismatchError, match="not those of a text model"):
            find_roles(wrong)


def test_a_tokenizer_is_needed(make_model):
    with pytest.raises(UsageError, match="no tokenizer") as caught:
        text_transform(make_model({"ids": ("int64", ("n", "s"))}), {})
    assert "--tokenizer" in caught.value.fix


def test_length_comes_from_the_user_the_hints_the_tokenizer_in_this_order(make_model, tokenizer_file):
    inputs = {"ids": ("int64", ("n", "s"))}
    hinted = make_model(inputs, text={"tokenizer": str(tokenizer_file), "max_length": 200})
    assert text_transform(hinted, {"max_length": 33}).max_length == 33
    assert text_transform(hinted, {}).max_length == 200
    assert text_transform(make_model(inputs), {"tokenizer": tokenizer_file}).max_length == 128
    bare = json.dumps(json.loads(tokenizer_file.read_text()) | {"truncation": None})
    made = text_transform(make_model(inputs), {"tokenizer": bare})
    assert made.assumed == ("no max_length given: texts are cut at 128 tokens",)


def test_a_fixed_length_is_kept(make_model, tokenizer_file):
    model = make_model({"ids": ("int32", (1, 40)), "mask": ("float32", (1, 40))})
    made = text_transform(model, {"tokenizer": tokenizer_file})
    assert (made.max_length, made.padding, made.dtype, made.mask_dtype) == (40, "max", "int32", "float32")
    model.signature.check(made.finish([made.encode("a text")]))
    with pytest.raises(InputMismatchError, match="max_length is 30, the model takes exactly 40"):
        text_transform(model, {"tokenizer": tokenizer_file, "max_length": 30})


def test_an_unknown_shape_gives_int64(make_model, tokenizer_file):
    made = text_transform(make_model({"input_ids": ("int64", ()), "attention_mask": ("int64", ())}, form="torch"),
                          {"tokenizer": str(tokenizer_file.parent), "padding": "max"})  # fmt: skip
    assert (made.dtype, made.mask_dtype, made.padding) == ("int64", "", "max")
