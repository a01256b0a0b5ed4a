import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import Evidence


def made(scores: list[int], answers: bool = True) -> Evidence:
    return Evidence("binary", np.array(scores, float), np.array(scores, np.int64) + 5 if answers else np.zeros(0, int))


@given(st.lists(st.integers(0, 1), min_size=1, max_size=9), st.integers(1, 8))
def test_joining_the_parts_gives_the_whole(scores: list[int], cut: int) -> None:
    whole = made(scores)
    first, rest = np.arange(min(cut, len(scores))), np.arange(min(cut, len(scores)), len(scores))
    joined = Evidence.join([whole.take(first), whole.take(rest)])
    np.testing.assert_array_equal(joined.scores, whole.scores)
    np.testing.assert_array_equal(joined.answers, whole.answers)
    assert len(joined) == len(scores)


def test_a_resample_may_repeat() -> None:
    taken = made([0, 1, 0]).take(np.array([1, 1, 2]))
    assert taken.scores.tolist() == [1, 1, 0]
    assert taken.answers.tolist() == [6, 6, 5]


def test_unlabelled_evidence_counts_its_answers() -> None:
    unlabelled = Evidence("binary", np.zeros(0), np.arange(4))
    assert len(unlabelled) == 4
    assert len(unlabelled.take(np.array([0, 2]))) == 2
    assert len(made([1, 0], answers=False)) == 2
