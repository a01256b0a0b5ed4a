import math

import pytest

from speedwell.measure.limits import Limits


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_a_time_that_is_no_time_is_refused(seconds):
    with pytest.raises(ValueError, match="seconds"):
        Limits(seconds=seconds)


def test_negative_memory_is_refused_and_none_is_zero():
    with pytest.raises(ValueError, match="memory"):
        Limits(memory_bytes=-1)
    assert Limits(math.inf).memory_bytes == 0
