from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.cli.arguments import as_options
from speedwell.core.errors import UsageError


@given(st.integers(1, 16384), st.integers(1, 16384))
def test_a_size_is_one_number_or_height_by_width(height: int, width: int) -> None:
    assert as_options(size=f"{height}x{width}", crop=str(height)) == {"size": [height, width], "crop": [height] * 2}


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=4))
def test_numbers_are_separated_by_commas(values: list[float]) -> None:
    assert as_options(mean=",".join(map(repr, values))) == {"mean": values}


def test_only_what_was_given_is_an_option() -> None:
    assert as_options(size=None, mean=None, colour="gray", max_length=None) == {"colour": "gray"}


def test_resizing_may_name_its_own_size() -> None:
    assert as_options(resize="shortest:256") == {"resize": "shortest", "resize_to": 256}
    assert as_options(resize="none") == {"resize": "none"}


def test_files_become_absolute_so_that_workers_find_them() -> None:
    assert as_options(tokenizer=Path("t.json")) == {"tokenizer": str(Path.cwd() / "t.json")}


@pytest.mark.parametrize("value", ["", "0", "-3", "1x2x3", "a", "99999", "8x", "1.5"])
def test_an_unreadable_size_says_how_to_write_it(value: str) -> None:
    with pytest.raises(UsageError, match="--size is") as error:
        as_options(size=value)
    assert "224" in error.value.fix


@pytest.mark.parametrize("value", ["", "a", "1,,2", "0.5;0.5"])
def test_unreadable_numbers_say_how_to_write_them(value: str) -> None:
    with pytest.raises(UsageError, match="--std is"):
        as_options(std=value)


def test_a_rarer_option_is_named_with_its_value() -> None:
    assert as_options(["threshold=0.5", "split=test", "output=a=b"]) == {
        "threshold": 0.5,
        "split": "test",
        "output": "a=b",
    }


@pytest.mark.parametrize("text", ["threshold", "split=", "size=3", "=3", "threshold=high"])
def test_an_unknown_or_empty_option_lists_what_there_is(text: str) -> None:
    with pytest.raises(UsageError, match="--option") as error:
        as_options([text])
    assert error.value.fix
