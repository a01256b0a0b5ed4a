from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import Signature, TensorSpec
from speedwell.core.errors import InputMismatchError
from speedwell.engines.feed import Feed, in_place

TWO = Signature((TensorSpec("a", "float32", ("batch", 2)), TensorSpec("b", "int64", ("batch", "sequence"))), ())


def two(batch: int, sequence: int = 3) -> dict[str, np.ndarray]:
    return {"b": np.zeros((batch, sequence), np.int64), "a": np.zeros((batch, 2), np.float32)}


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1))
def test_arrays_come_in_the_signature_s_order_and_the_batch_is_the_last_one(sizes: list[tuple[int, int]]) -> None:
    feed = Feed(TWO)
    for batch, sequence in sizes:
        inputs = two(batch, sequence)
        a, b = feed(inputs)
        assert a is inputs["a"]
        assert b is inputs["b"]
        assert feed.batch == batch


@given(st.integers(1, 4), st.integers(1, 4))
def test_a_batch_that_differs_between_inputs_is_refused(first: int, second: int) -> None:
    feed, inputs = Feed(TWO), two(first) | {"b": two(second)["b"]}
    if first == second:
        assert len(feed(inputs)) == 2
    else:
        with pytest.raises(InputMismatchError, match=f"batch = {second}"):
            feed(inputs)


def test_a_refused_call_is_refused_again_and_a_good_one_after_it_passes() -> None:
    feed = Feed(TWO)
    wrong = two(2) | {"a": np.zeros((2, 2))}
    for _ in range(2):
        with pytest.raises(InputMismatchError, match="float64"):
            feed(wrong)
    assert len(feed(two(2))) == 2
    with pytest.raises(InputMismatchError, match="float64"):
        feed(wrong)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a": [[0.0, 0.0]]}, "is a list"),
        ({"a": np.zeros((2, 3), np.float32)}, "has shape"),
        ({"a": np.zeros(2, np.float32)}, "has shape"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputMismatchError, match=f"'a'.*{words}"):
        Feed(TWO)(two(2) | change)


def test_a_missing_input_is_named() -> None:
    with pytest.raises(InputMismatchError, match=r"missing \['b'\]"):
        Feed(TWO)({"a": np.zeros((1, 2), np.float32)})


def test_no_batch_symbol_gives_no_batch() -> None:
    feed = Feed(Signature((TensorSpec("x", "float32", (1, 2)),), ()))
    feed({"x": np.zeros((1, 2), np.float32)})
    assert feed.batch is None


def test_only_arrays_that_an_engine_cannot_read_in_place_are_copied() -> None:
    plain = np.arange(6.0).reshape(2, 3)
    assert in_place(plain) is plain
    for other in (plain.T, plain[:, ::-1], np.broadcast_to(plain, (2, 2, 3))):
        copied = in_place(other)
        assert copied.flags.c_contiguous
        assert copied.flags.writeable
        np.testing.assert_array_equal(copied, other)
