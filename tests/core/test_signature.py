import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import BATCH, SEQUENCE, Signature, TensorSpec
from speedwell.core.errors import InputMismatchError

SPEC = TensorSpec("ids", "int64", (BATCH, SEQUENCE, 4))
SIGNATURE = Signature((SPEC, TensorSpec("mask", "float32", (BATCH, SEQUENCE))), ())


@given(st.integers(1, 5), st.integers(1, 5))
def test_symbols_take_any_size(batch: int, sequence: int) -> None:
    SPEC.check(np.zeros((batch, sequence, 4), np.int64))
    assert SPEC.bind({BATCH: batch, SEQUENCE: sequence}) == (batch, sequence, 4)


@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 2), (1, 2, 4, 1), ()])
def test_a_shape_that_does_not_fit_is_refused_with_both_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputMismatchError, match=r"'ids' has shape .*the model takes \['batch', 'sequence', 4\]"):
        SPEC.check(np.zeros(shape, np.int64))


def test_another_dtype_is_refused() -> None:
    with pytest.raises(InputMismatchError, match="is int32, the model takes int64"):
        SPEC.check(np.zeros((1, 1, 4), np.int32))


def test_a_missing_input_is_named() -> None:
    with pytest.raises(InputMismatchError, match=r"missing \['mask'\]"):
        SIGNATURE.check({"ids": np.zeros((1, 1, 4), np.int64)})


def test_symbols_of_all_inputs() -> None:
    assert SIGNATURE.symbols == {BATCH, SEQUENCE}
    assert SIGNATURE.input_names == ("ids", "mask")
    with pytest.raises(KeyError):
        SPEC.bind({BATCH: 1})
