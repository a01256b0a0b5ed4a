"""Exp, Log and Erf over the whole range of floats, on every instruction set, against float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from speedwell.native import supported_isas

from .plans import run_operator

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"Exp": np.exp, "Log": np.log, "Erf": erf}
ISAS = supported_isas()
ULP = 2.0


def whole_range() -> np.ndarray:
    """Every exponent and both signs, dense where something happens."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 400_000, dtype=np.uint32).view(np.float32)
    near = np.concatenate([np.linspace(-6, 6, 200_001), np.linspace(-105, 90, 200_001), np.linspace(0.5, 2, 100_001)])
    tiny = np.arange(1, 5000, dtype=np.uint32).view(np.float32)
    return np.concatenate([bits[np.isfinite(bits)], near.astype(np.float32), tiny, -tiny])


def apart(got: np.ndarray, x: np.ndarray, kind: str) -> np.ndarray:
    """In units of the last place of the exact value; where that is no finite float, 0 for the same and infinity."""
    with np.errstate(all="ignore"):
        want = FUNCTIONS[kind](x.astype(np.float64))
        rounded = want.astype(np.float32)
        finite = np.isfinite(rounded)
        ulps = np.abs(got.astype(np.float64) - want) / np.spacing(np.abs(rounded)).astype(np.float64)
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(finite, ulps, np.where(same, 0.0, np.inf))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_function_is_off_by_2_ulp_at_most(kind: str, isa: str) -> None:
    x = whole_range()
    (y,) = run_operator(kind, [x], isa=isa)
    off = apart(y, x, kind)
    assert off.max() <= ULP, (x[off.argmax()], y[off.argmax()], off.max())


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("Exp", [np.nan, 0, np.inf, 1, 1, np.inf, 0]),
        ("Log", [np.nan, np.nan, np.inf, -np.inf, -np.inf, np.log(np.float32(3e38)), np.nan]),
        ("Erf", [np.nan, -1, 1, 0, 0, 1, -1]),
    ],
)
@pytest.mark.parametrize("n", [1, 3, 40])
def test_a_function_has_its_limits_and_keeps_nan(kind: str, values: list[float], n: int, isa: str) -> None:
    x = np.repeat(np.array([np.nan, -np.inf, np.inf, 0, -0.0, 3e38, -3e38], np.float32), n)
    (y,) = run_operator(kind, [x], isa=isa)
    np.testing.assert_array_equal(y.reshape(7, n), np.repeat(np.array(values, np.float32), n).reshape(7, n))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(width=32), min_size=1, max_size=70), st.sampled_from(sorted(FUNCTIONS)), st.sampled_from(ISAS)
)
def test_any_floats_in_rows_of_any_length(values: list[float], kind: str, isa: str) -> None:
    x = np.array(values, np.float32)
    (y,) = run_operator(kind, [x], isa=isa, threads=2)
    assert (apart(y, x, kind) <= ULP).all()
