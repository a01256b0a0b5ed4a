import pytest

from speedwell.core import Workload


@pytest.mark.parametrize(
    ("workload", "label"),
    [
        (Workload(1, 2), "batch 1, 2 threads"),
        (Workload(4, 1, name="median length"), "batch 4, 1 thread, median length"),
    ],
)
def test_the_label_says_what_is_timed(workload: Workload, label: str) -> None:
    assert workload.label == label


@pytest.mark.parametrize(("batch", "threads"), [(0, 1), (1, 0), (-1, 1)])
def test_at_least_one_of_each(batch: int, threads: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Workload(batch, threads)
