"""Every activation over the whole range of floats, on every instruction set, against float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.special import erf, expit

from speedwell.native import supported_isas

from .plans import run_operator

Array = np.ndarray

DEFINITIONS: dict[str, Callable[[Array], Array]] = {
    "none": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "silu": lambda x: x * expit(x),
    "gelu": lambda x: x * (0.5 + erf(x / np.sqrt(2)) / 2),
    "gelu_tanh": lambda x: x * expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)),
    "quick_gelu": lambda x: x * expit(1.702 * x),
    "sigmoid": expit,
    "tanh": np.tanh,
}
AT_INFINITY = {"none": (-np.inf, np.inf), "relu6": (0, 6), "sigmoid": (0, 1), "tanh": (-1, 1)}
ISAS = supported_isas()


def f32(values: Sequence[float]) -> Array:
    return np.array(values, np.float32)


def activated(x: Array, activation: str, isa: str) -> Array:
    """A product with one column of ones: what it does to the sums is the activation alone."""
    (y,) = run_operator(
        "gemm_float",
        [np.ones((1, 1), np.float32), x.reshape(-1, 1)],
        {"activation": activation},
        constants=(1,),
        isa=isa,
    )
    return np.asarray(y[0])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", DEFINITIONS)
def test_an_activation_is_off_by_3e_7_at_most(activation: str, isa: str) -> None:
    near = np.linspace(-12, 12, 60_001)
    far = np.geomspace(1e-42, 1e38, 5_003)
    x = np.concatenate([near, far, -far]).astype(np.float32)
    with np.errstate(all="ignore"):
        expected = DEFINITIONS[activation](x.astype(np.float64))
        y = activated(x, activation, isa)
    error = np.abs(y - expected) / np.maximum(1, np.abs(expected))
    assert error.max() <= 3e-7, (x[error.argmax()], y[error.argmax()])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", DEFINITIONS)
@pytest.mark.parametrize("n", [1, 40])
def test_an_activation_has_its_limits_at_infinity_and_keeps_nan(activation: str, n: int, isa: str) -> None:
    x = np.repeat(f32([np.nan, -np.inf, np.inf, 0]), n)
    low, high = AT_INFINITY.get(activation, (0, np.inf))
    y = activated(x, activation, isa).reshape(4, n)
    np.testing.assert_array_equal(y, [[value] * n for value in (np.nan, low, high, 0.5 * (activation == "sigmoid"))])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", ["silu", "gelu", "gelu_tanh", "quick_gelu"])
def test_far_below_zero_nothing_is_left(activation: str, isa: str) -> None:
    y = activated(f32([-20, -50, -100, -1e4, -1e30, -3e38]), activation, isa)
    assert np.all((y <= 0) & (y > -1e-6))
