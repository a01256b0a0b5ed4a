from __future__ import annotations

import pytest

from speedwell.core.errors import DataError
from speedwell.inputs.columns import Columns, choose_columns


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["text", "category"], Columns(("text",), "category", False)),
        (["id", "Sentence", "Label"], Columns(("Sentence",), "Label", False)),
        (["what was said", "label"], Columns(("what was said",), "label", False)),
        (["text", "kind of thing"], Columns(("text",), "kind of thing", False)),
        (["text"], Columns(("text",), "", False)),
        (["image", "label"], Columns(("image",), "label", True)),
    ],
)
def test_usual_names_are_found(names, chosen):
    assert choose_columns(names, "t") == chosen


def test_named_columns_come_first_and_two_make_a_pair():
    names = ["text", "premise", "hypothesis", "gold", "label"]
    assert choose_columns(names, "t", "premise,hypothesis", "gold") == Columns(("premise", "hypothesis"), "gold", False)
    assert choose_columns(["a,b", "label"], "t", "a,b").inputs == ("a,b",)


@pytest.mark.parametrize(
    ("options", "told", "fix"),
    [
        ({}, "no text column that can be told; its columns are: one, two, three", "--text-column"),
        ({"text": "four"}, "no text column named 'four'", "--text-column"),
        ({"text": "one", "label": "four"}, "no label column named 'four'", "--label-column"),
        ({"image": "four"}, "no image column named 'four'", "--image-column"),
        ({"text": "one,two,three"}, "3 text columns", "Name one, or two"),
    ],
)
def test_what_cannot_be_told_lists_the_columns(options, told, fix):
    with pytest.raises(DataError, match=told) as caught:
        choose_columns(["one", "two", "three"], "t.csv", **options)
    assert fix in caught.value.fix
