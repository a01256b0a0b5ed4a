from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core.errors import PromiseError
from speedwell.passes.closeness import RELATIVE, require_close, require_sound, sqnr_db


def arrays(*values, dtype=np.float32):
    return {"y": np.array(values, dtype)}


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20), st.floats(0, 0.9))
def test_rounding_is_allowed_whatever_the_scale(values, share):
    a = np.array(values, np.float32)
    require_close("p", {"y": a}, {"y": (a + share * RELATIVE * np.abs(a)).astype(np.float32)})


@pytest.mark.parametrize(
    ("want", "got"),
    [(arrays(1, 2), arrays(1, 2.001)), (arrays(1, np.nan), arrays(1, 2)), (arrays(1, 2), arrays(1, np.nan)),
     (arrays(1, np.inf), arrays(1, -np.inf)), (arrays(1, 2), arrays(1, 2, 3)), (arrays(1), arrays(1, dtype=np.float64)),
     (arrays(1, dtype=np.int64), arrays(2, dtype=np.int64)), (arrays(1), {"z": np.ones(1, np.float32)})],
)  # fmt: skip
def test_a_change_is_caught(want, got):
    with pytest.raises(PromiseError):
        require_close("p", want, got)


def test_not_finite_at_the_same_places_is_equal():
    require_close("p", arrays(np.nan, np.inf, 1), arrays(np.nan, np.inf, 1))


def test_sound_allows_another_value_but_no_new_nan():
    require_sound("p", arrays(1, 2), arrays(5, 6))
    require_sound("p", arrays(1, np.nan), arrays(5, np.nan))
    with pytest.raises(PromiseError, match="non-finite"):
        require_sound("p", arrays(1, 2), arrays(1, np.nan))


def test_sqnr_of_a_tenth_is_twenty_decibels():
    assert sqnr_db(np.ones(10), np.full(10, 1.1)) == pytest.approx(20)
    assert sqnr_db(np.ones(10), np.ones(10)) == float("inf")
