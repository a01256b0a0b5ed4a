from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core.errors import DataError, LabelMismatchError
from speedwell.inputs import Objects

TWO = Objects.of([[1, 2, 5, 8], [-4, 0, 4, 10]], [3, 0], (20, 30), [False, True])


@st.composite
def pictures(draw):
    height, width = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    k = draw(st.integers(0, 6))
    corner = st.tuples(*[st.integers(-50, 350)] * 2, *[st.integers(1, 200)] * 2)
    boxes = [(x, y, x + w, y + h) for x, y, w, h in draw(st.lists(corner, min_size=k, max_size=k))]
    return Objects.of(boxes, list(range(k)), (height, width))


def test_a_record_is_typed_and_says_where_the_picture_is():
    assert len(TWO) == 2
    assert (TWO.boxes.dtype, TWO.classes.dtype, TWO.ignore.dtype) == (np.float32, np.int64, bool)
    assert TWO.window == (0.0, 0.0, 30.0, 20.0)
    assert TWO.areas.tolist() == [24.0, 80.0]
    none = Objects.of([], [], (4, 5))
    assert none.boxes.shape == (0, 4)
    assert len(none.clipped()) == len(none.moved((2, 2), (1, 1))) == 0


@pytest.mark.parametrize(
    ("values", "error", "told"),
    [
        (([[0, 0, 1]], [0], (4, 4)), DataError, r"boxes of 1 object\(s\) are float32 \[1, 3\]"),
        (([[0, 0, 1, 1]], [0, 1], (4, 4)), DataError, r"classes of 1"),
        (([[0, 0, np.nan, 1]], [0], (4, 4)), DataError, "nan"),
        (([[0, 0, np.inf, 1]], [0], (4, 4)), DataError, "inf"),
        (([[3, 0, 1, 1]], [0], (4, 4)), DataError, r"\[3.0, 0.0, 1.0, 1.0\]"),
        (([[0, 0, 1, 1]], [-1], (4, 4)), LabelMismatchError, "class -1"),
        (([[0, 0, 1, 1]], [0.5], (4, 4)), DataError, "float64"),
        (([[0, 0, 1, 1]], [0], (0, 4)), DataError, "0x4"),
        (([[0, 0, 1, 1]], [0], (4, 4), [True, False]), DataError, "ignore of 1"),
        (([[0, 0, 1, 1]], [0], (4, 4), None, (2, 0, 2, 4)), DataError, "window"),
    ],
)
def test_values_that_cannot_be_are_refused(values, error, told):
    with pytest.raises(error, match=told):
        Objects.of(*values)
    if len(values) == 3 and "float64" not in told:
        with pytest.raises(DataError, match=r"Objects\.of"):
            Objects(values[0], np.array([0]), np.array([False]), (4, 4), (0, 0, 4, 4))


def test_objects_are_chosen_by_number_or_mask_and_renumbered():
    assert TWO.take([1]).boxes.tolist() == [[-4, 0, 4, 10]]
    assert TWO.take(np.array([False, True])).ignore.tolist() == [True]
    assert len(TWO.take([])) == 0
    assert TWO.numbered(np.array([7, 6, 5, 4])).classes.tolist() == [4, 7]
    assert TWO.classes.tolist() == [3, 0]


def test_a_cut_keeps_what_is_left_enough():
    assert TWO.clipped().boxes.tolist() == [[1, 2, 5, 8], [0, 0, 4, 10]]
    assert TWO.clipped(keep=0.5).classes.tolist() == [3]  # of the other exactly half is left
    assert TWO.clipped((2, 3, 4, 5)).boxes.tolist() == [[2, 3, 4, 5], [2, 3, 4, 5]]
    assert len(TWO.clipped((10, 10, 12, 12))) == 0
    flat = Objects.of([[1, 1, 1, 5]], [0], (9, 9))
    assert len(flat.clipped()) == 0


@given(pictures())
def test_what_is_cut_lies_inside_and_is_not_cut_again(objects):
    cut = objects.clipped()
    x1, y1, x2, y2 = objects.window
    assert (cut.boxes >= [x1, y1, x1, y1]).all()
    assert (cut.boxes <= [x2, y2, x2, y2]).all()
    assert (cut.areas > 0).all()
    assert cut.clipped().same(cut)


@given(pictures(), st.floats(0.01, 50), st.floats(0.01, 50), st.floats(-500, 500), st.floats(-500, 500))
def test_a_move_and_its_inverse_cancel(objects, sx, sy, dx, dy):
    there = objects.moved((sx, sy), (dx, dy))
    back = there.moved((1 / sx, 1 / sy), (-dx / sx, -dy / sy))
    # one rounding to float32 at the far place, as seen from here, and one here
    far = (np.abs(there.boxes).max(initial=1) / min(sx, sy) + 600) * 2.0**-23
    assert np.abs(back.boxes - objects.boxes).max(initial=0) <= far
    assert np.allclose(back.window, objects.window, atol=1e-6 * (1 + 600 / min(sx, sy)))


def test_sameness_does_not_depend_on_order():
    other = TWO.take([1, 0])
    assert TWO.same(other)
    assert not TWO.same(TWO.take([0]))
    assert not TWO.same(TWO.numbered(np.array([1, 1, 2, 3])))
    assert not TWO.same(Objects.of(TWO.boxes, TWO.classes, (20, 31), TWO.ignore))
    assert not TWO.same(Objects.of(TWO.boxes, TWO.classes, (20, 30)))
    assert not TWO.same(TWO.moved((1, 1), (0.5, 0)))
