from __future__ import annotations

import time

from speedwell.measure import call_seconds


def test_each_call_is_timed_on_its_own_with_the_same_inputs() -> None:
    naps, seen = iter([0.0, 0.02, 0.0]), []

    def run(inputs: list[int]) -> None:
        seen.append(inputs)
        time.sleep(next(naps))

    given = [1, 2]
    seconds = call_seconds(run, given, 3)
    assert all(inputs is given for inputs in seen)
    assert len(seen) == len(seconds) == 3
    assert seconds[1] >= 0.02
    assert min(seconds) >= 0


def test_no_call_takes_no_time() -> None:
    assert call_seconds(lambda _: None, None, 0) == []
