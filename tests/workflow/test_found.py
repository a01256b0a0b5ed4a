import json

import numpy as np

from speedwell.tasks.boxes import Detections
from speedwell.workflow.found import Found


def found(labels: list[int]) -> Found:
    k = len(labels)
    boxes = np.arange(4 * k, dtype=np.float32).reshape(k, 4)
    detections = Detections(boxes, np.linspace(0.9, 0.5, k).astype(np.float32), np.array(labels, np.int64))
    return Found.of(detections, boxes * 2, ("cat", "dog"))


def test_it_reads_as_words_and_as_plain_json() -> None:
    two = found([1, 0])
    assert two.text == str(two) == "2 objects: dog 0.90 at 0,2 to 4,6; cat 0.50 at 8,10 to 12,14"
    assert json.loads(json.dumps(two.as_dict())) == {
        "objects": [
            {"label": "dog", "index": 1, "score": float(np.float32(0.9)), "box": [0, 2, 4, 6]},
            {"label": "cat", "index": 0, "score": 0.5, "box": [8, 10, 12, 14]},
        ]
    }


def test_nothing_and_a_class_without_a_name() -> None:
    assert found([]).text == "nothing found"
    assert found([]).as_dict() == {"objects": []}
    assert found([7]).text == "1 object: class 7 0.90 at 0,2 to 4,6"
