from __future__ import annotations

import pytest

from speedwell.core.errors import LabelMismatchError
from speedwell.inputs import number_labels


def numbers(*args):
    targets, classes, _ = number_labels(*args)
    return targets.tolist(), classes


def test_names_are_numbered_in_sorted_order():
    assert numbers(["dog", "cat", None, "dog"]) == ([1, 0, -1, 1], ("cat", "dog"))


def test_names_follow_the_models_order_where_it_is_known():
    assert numbers(["dog", "cat"], (), ("owl", "dog", "cat")) == ([1, 2], ("owl", "dog", "cat"))


def test_names_match_without_regard_to_case_and_punctuation():
    assert numbers(["positive", "Not Good"], (), ("NOT_GOOD", "POSITIVE"))[0] == [1, 0]


def test_a_name_that_is_no_class_is_listed():
    with pytest.raises(LabelMismatchError, match=r"1 label.* 'fish'.*the model has 2: 'cat', 'dog'") as caught:
        number_labels(["cat", "fish"], (), ("cat", "dog"))
    assert "--classes" in caught.value.fix


def test_integers_stay_integers():
    assert numbers([2, 0, -1]) == ([2, 0, -1], ("0", "1", "2"))
    assert numbers(["2", "0"]) == ([2, 0], ("0", "1", "2"))
    assert numbers([1, 0], (), ("no", "yes")) == ([1, 0], ("no", "yes"))


def test_texts_of_integers_are_names_where_the_classes_are_called_so():
    assert numbers(["3", "1"], (), ("1", "2", "3"))[0] == [2, 0]


def test_named_numbers_are_reordered_by_name():
    assert numbers([0, 1], ("cat", "dog"), ("dog", "cat"))[0] == [1, 0]


def test_named_numbers_that_match_no_class_stay_with_a_warning():
    targets, classes, warnings = number_labels([0, 1], ("neg", "pos"), ("NEGATIVE", "POSITIVE"))
    assert targets.tolist() == [0, 1]
    assert classes == ("NEGATIVE", "POSITIVE")
    assert "taken as they are" in warnings[0]


def test_numbers_outside_the_names_are_refused():
    with pytest.raises(LabelMismatchError, match="label 2 is beyond the 2"):
        number_labels([2], ("a", "b"))
    with pytest.raises(LabelMismatchError, match="-5"):
        number_labels([-5])


def test_nothing_labelled_gives_no_classes():
    assert numbers([None, None]) == ([-1, -1], ())
