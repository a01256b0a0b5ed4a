from __future__ import annotations

import numpy as np
import pytest

from speedwell.core.errors import DataError, JobError, LabelMismatchError, UsageError
from speedwell.tasks import ImageClassification, build

TASK = ImageClassification()


def logits(*rows):
    return {"y": np.array(rows, np.float32)}


def test_the_largest_score_is_the_answer_and_ties_go_to_the_lower_class():
    evidence = TASK.evidence(logits([1, 3, 2], [5, 5, 0]), np.array([1, 1]))
    assert evidence.answers.tolist() == [1, 0]
    assert evidence.scores.tolist() == [1.0, 0.0]
    assert TASK.metric(evidence) == 0.5


def test_the_first_table_of_floats_is_the_answer_unless_one_is_named():
    outputs = {
        "label": np.array([0, 1]),
        "features": np.zeros((2, 4, 4), np.float32),
        "a": np.array([[0, 1], [1, 0]], np.float32),
        "b": np.array([[1, 0], [1, 0]], np.float32),
    }
    assert TASK.evidence(outputs, np.array([0, 0])).answers.tolist() == [1, 0]
    assert TASK.configured({"output": "b"}).evidence(outputs, np.array([0, 0])).answers.tolist() == [0, 0]
    with pytest.raises(UsageError, match="no output 'c'"):
        TASK.configured({"output": "c"}).evidence(outputs, np.array([0, 0]))


def test_a_convolutional_head_is_a_table():
    assert TASK.evidence({"y": np.array([[0, 2]], np.float32).reshape(1, 2, 1, 1)}, np.array([1])).scores.tolist() == [
        1.0
    ]


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_one_column_is_a_binary_model_with_its_threshold(shape):
    outputs = {"y": np.array([-1.0, 0.3, 0.9], np.float32).reshape(shape)}
    assert TASK.evidence(outputs, np.array([0, 1, 1])).scores.tolist() == [1, 1, 1]
    declared = build("image-classification", {"threshold": 0.5})
    assert declared.evidence(outputs, np.array([0, 1, 1])).answers.tolist() == [0, 0, 1]
    with pytest.raises(LabelMismatchError, match="label 2 is beyond the model's 2 outputs"):
        TASK.evidence(outputs, np.array([0, 1, 2]))


def test_labels_that_start_at_one_are_recognised():
    with pytest.raises(LabelMismatchError, match="label 2 is beyond the model's 2") as caught:
        TASK.evidence(logits([1, 0], [0, 1]), np.array([1, 2]))
    assert "start at 1" in caught.value.fix


def test_outputs_that_are_no_answer_are_typed():
    for rows, kind in (([[np.nan, 0]], "not finite"), ([[0, np.inf]], "not finite"), ([[1, 0], [1, 0]], "wrong shape")):
        with pytest.raises(JobError) as caught:
            TASK.evidence(logits(*rows), np.array([0]))
        assert caught.value.kind == kind
    with pytest.raises(JobError, match=r"boxes float32 \[1, 4, 4\]"):
        TASK.evidence({"boxes": np.zeros((1, 4, 4), np.float32)}, np.array([0]))


def test_half_labelled_data_is_refused():
    with pytest.raises(DataError, match="1 of 2"):
        TASK.evidence(logits([1, 0], [0, 1]), np.array([1, -1]))
    with pytest.raises(DataError, match="no label"):
        TASK.metric(TASK.evidence(logits([1, 0]), np.array([-1])))


def test_a_threshold_is_a_number():
    with pytest.raises(UsageError, match="'high'"):
        TASK.configured({"threshold": "high"})


def test_doubts_name_what_looks_wrong():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 4, 200)
    right = {"y": np.eye(4, dtype=np.float32)[targets]}
    assert TASK.doubts(right, targets) == []
    assert "no more than a guess" in TASK.doubts({"y": np.eye(4, dtype=np.float32)[(targets + 1) % 4]}, targets)[0]
    constant = TASK.doubts({"y": np.tile(np.eye(4, dtype=np.float32)[0], (200, 1))}, targets)
    assert "class 0 for every sample" in constant[0]
    sigmoid = {"y": rng.random((200, 1)).astype(np.float32)}
    assert "threshold 0.5" in TASK.doubts(sigmoid, rng.integers(0, 2, 200))[0]
    assert not any("threshold" in d for d in TASK.configured({"threshold": 0.5}).doubts(sigmoid, targets % 2))


def test_the_loss_is_torchs_cross_entropy():
    import torch

    scores, targets = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])
    want = -torch.log_softmax(scores, 1)[[0, 1], targets].mean()
    assert torch.allclose(TASK.loss(scores, targets), want)
    assert torch.allclose(TASK.loss({"ids": targets, "y": scores}, targets), want)
    binary = torch.tensor([[2.0], [-1.0]])
    want = -torch.log(torch.sigmoid(torch.tensor([2.0, -1.0]))[0]) / 2 - torch.log(1 - torch.sigmoid(binary[1, 0])) / 2
    assert torch.allclose(TASK.loss({"y": binary}, torch.tensor([1, 0])), want)
    as_probability = TASK.configured({"threshold": 0.5}).loss({"y": torch.sigmoid(binary)}, torch.tensor([1, 0]))
    assert torch.allclose(as_probability, want)
