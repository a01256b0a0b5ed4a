import numpy as np

from speedwell.tasks.boxes import Detections
from speedwell.workflow.differing_boxes import partners


def boxes(*rows: tuple[float, float, float, float], classes: list[int] | None = None) -> Detections:
    k = len(rows)
    return Detections(
        np.array(rows, np.float32).reshape(-1, 4), np.full(k, 0.9, np.float32), np.array(classes or [0] * k, np.int64)
    )


def test_partners_overlap_by_half_and_are_of_one_class() -> None:
    mine = boxes((0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10), classes=[0, 0, 1])
    other = boxes((0, 0, 10, 9), (26, 0, 36, 10), (40, 0, 50, 10))
    assert partners(mine, other).tolist() == [True, False, False]
    assert partners(mine, boxes()).tolist() == [False] * 3
    assert partners(boxes(), mine).tolist() == []


def test_each_box_is_the_partner_of_one_only_and_the_best_pair_goes_first() -> None:
    mine = boxes((0, 0, 10, 8), (0, 0, 10, 10))
    assert partners(mine, boxes((0, 0, 10, 10))).tolist() == [False, True]
