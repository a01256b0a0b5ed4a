"""Sizes for a plan's inputs: asked for, shared by name, chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core.errors import InputMismatchError
from speedwell.native.input_sizes import choose_sizes, filled_inputs
from speedwell.native.plan import Input

IDS = Input("input_ids", 0, "int64", ("batch", "sequence"))
MASK = Input("attention_mask", 1, "int64", ("batch", "sequence"))
IMAGE = Input("image", 2, "float32", ("N", 3, "H", "W"))
FIXED = Input("fixed", 3, "uint8", (2, 7))


def test_what_nobody_asked_for_is_chosen_and_said() -> None:
    found = choose_sizes([IDS, MASK, IMAGE, FIXED], {})
    assert found.shapes == {
        "input_ids": (1, 128), "attention_mask": (1, 128), "image": (1, 3, 224, 224), "fixed": (2, 7)
    }  # fmt: skip
    assert found.chosen == {"batch": 1, "sequence": 128, "N": 1, "H": 224, "W": 224}


def test_a_size_that_was_asked_for_holds_for_every_input_that_has_its_name() -> None:
    found = choose_sizes([IDS, MASK], {"attention_mask": (4, 16)})
    assert found.shapes == {"input_ids": (4, 16), "attention_mask": (4, 16)}
    assert found.chosen == {}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ids": (1, 2)}, "there is no input 'ids'"),
        ({"input_ids": (1,)}, "input_ids has 2 axes, 1 has 1"),
        ({"input_ids": ()}, "a scalar has 0"),
        ({"fixed": (2, 8)}, "fixed cannot be 2x8: an axis is 7"),
        ({"input_ids": (1, 5), "attention_mask": (1, 6)}, "attention_mask cannot be 1x6: sequence is 5"),
    ],
)
def test_sizes_that_do_not_fit_are_said_with_the_inputs_there_are(asked: dict, said: str) -> None:
    with pytest.raises(InputMismatchError, match=said) as caught:
        choose_sizes([IDS, MASK, FIXED], asked)
    assert "input_ids batchxsequence" in caught.value.fix


@given(st.lists(st.integers(1, 50), min_size=2, max_size=2))
def test_asked_sizes_are_kept(sizes: list[int]) -> None:
    assert choose_sizes([IDS], {"input_ids": sizes}).shapes["input_ids"] == tuple(sizes)


def test_inputs_are_of_the_plan_s_types_and_hide_nothing() -> None:
    inputs = [IDS, MASK, IMAGE, FIXED, Input("flags", 4, "bool", (3,)), Input("n", 5, "int32", ())]
    filled = filled_inputs(inputs, choose_sizes(inputs, {"input_ids": (1, 4), "image": (1, 3, 8, 8)}).shapes)
    assert {name: str(array.dtype) for name, array in filled.items()} == {i.name: i.dtype for i in inputs}
    assert filled["attention_mask"].all()
    assert filled["flags"].all()
    assert not filled["input_ids"].any()  # an index that every table has
    assert filled["n"].shape == ()
    assert np.isfinite(filled["image"]).all()
    assert filled["image"].std() > 0.5
