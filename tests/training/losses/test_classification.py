from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from speedwell.core.errors import LabelMismatchError, UsageError
from speedwell.training.losses import make_loss
from speedwell.training.losses.classification import ClassLoss, class_output
from speedwell.training.losses.distillation import (
    Hidden,
    attention_distance,
    distil,
    similarity_distance,
    soft_loss,
)
from speedwell.training.recipe import Distil, Loss

logits = st.integers(0, 10_000).map(lambda s: torch.randn(7, 5, generator=torch.Generator().manual_seed(s)) * 3)


def two_layers(width: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(3, width), torch.nn.ReLU(), torch.nn.Linear(width, 2))


TARGETS = torch.tensor([0, 1, 2, 3, 4, 0, 2])


@settings(deadline=None)
@given(logits, st.floats(0, 0.9))
def test_cross_entropy_with_smoothing_is_that_of_smoothed_labels(scores, smoothing):
    loss = ClassLoss(Loss("cross-entropy", smoothing))({"output": scores}, TARGETS)
    wanted = (1 - smoothing) * functional.one_hot(TARGETS, 5) + smoothing / 5
    by_hand = -(wanted * scores.double().log_softmax(1)).sum(1).mean()
    assert float(loss) == pytest.approx(float(by_hand), rel=1e-5)


@settings(deadline=None)
@given(logits, st.floats(0, 5))
def test_focal_loss_is_its_formula_and_never_above_cross_entropy(scores, gamma):
    focal = ClassLoss(Loss("focal", gamma=gamma))({"output": scores}, TARGETS)
    plain = ClassLoss(Loss())({"output": scores}, TARGETS)
    right = scores.double().softmax(1)[torch.arange(7), TARGETS]
    assert float(focal) == pytest.approx(float((-((1 - right) ** gamma) * right.log()).mean()), rel=1e-4, abs=1e-7)
    assert float(focal) <= float(plain) + 1e-6
    if gamma == 0:
        assert float(focal) == pytest.approx(float(plain), rel=1e-6)


def test_a_binary_column_is_a_logit():
    column = torch.tensor([[2.0], [-1.0], [0.5]])
    labels = torch.tensor([1, 0, 0])
    wanted = functional.binary_cross_entropy_with_logits(column[:, 0], labels.float())
    for outputs in ({"output": column}, {"output": column[:, 0]}):
        assert float(ClassLoss(Loss())(outputs, labels)) == pytest.approx(float(wanted))
    assert float(ClassLoss(Loss("focal"))({"o": column}, labels)) < float(wanted)
    assert float(ClassLoss(Loss(smoothing=0.2))({"o": column * 100}, labels)) > 1


def test_the_class_scores_are_found_among_outputs():
    scores, hidden = torch.zeros(3, 5), torch.zeros(3, 7, 2)
    assert class_output({"hidden": hidden, "scores": scores}) is scores
    assert class_output({"a": scores, "b": scores + 1}, "b").sum() == 15
    with pytest.raises(LabelMismatchError, match=r"hidden \[3, 7, 2\]"):
        class_output({"hidden": hidden})


@settings(deadline=None)
@given(logits, logits, st.floats(0.5, 8))
def test_the_soft_loss_is_zero_only_for_the_teachers_own_answer(student, teacher, temperature):
    assert float(soft_loss(teacher, teacher, temperature)) == pytest.approx(0, abs=1e-4)
    p, q = (teacher / temperature).double().softmax(1), (student / temperature).double().softmax(1)
    by_hand = temperature**2 * (p * (p / q).log()).sum(1).mean()
    assert float(soft_loss(student, teacher, temperature)) == pytest.approx(float(by_hand), rel=1e-3, abs=1e-4)


def test_distillation_mixes_labels_and_teacher_by_weight():
    student, teacher = {"o": torch.randn(7, 5)}, {"o": torch.randn(7, 5)}
    labels = ClassLoss(Loss())(student, TARGETS)
    assert float(distil(Distil(weight=0.0), labels, student, teacher)) == pytest.approx(float(labels))
    soft = soft_loss(student["o"], teacher["o"], 2.0)
    assert float(distil(Distil(weight=1.0), labels, student, teacher)) == pytest.approx(float(soft))
    half = distil(Distil(weight=0.5), labels, student, teacher)
    assert float(half) == pytest.approx(float((labels + soft) / 2))
    hard = distil(Distil(weight=1.0, hard=True), labels, student, teacher)
    assert float(hard) == pytest.approx(float(functional.cross_entropy(student["o"], teacher["o"].argmax(1))))
    column = distil(Distil(weight=1.0), labels, {"o": student["o"][:, :1]}, {"o": student["o"][:, :1]})
    assert float(column) == pytest.approx(0, abs=1e-5)
    with pytest.raises(UsageError, match="same classes"):
        distil(Distil(), labels, {"o": torch.zeros(7, 4)}, teacher)


@settings(deadline=None)
@given(st.integers(0, 99))
def test_hidden_distances_compare_any_widths_and_are_zero_for_equals(seed):
    g = torch.Generator().manual_seed(seed)
    narrow, wide = torch.randn(6, 4, 5, 5, generator=g), torch.randn(6, 9, 5, 5, generator=g)
    for distance in (similarity_distance, attention_distance):
        assert float(distance(narrow, narrow)) == pytest.approx(0, abs=1e-6)
        assert float(distance(narrow, 3 * narrow)) == pytest.approx(0, abs=1e-5)  # the scale does not count
        assert float(distance(narrow, wide)) > 0
    tokens = torch.randn(6, 7, 8, generator=g)
    assert float(attention_distance(tokens, tokens[..., :5])) >= 0
    with pytest.raises(UsageError, match="places differ"):
        attention_distance(narrow, torch.zeros(6, 4, 3, 3))


def test_hidden_layers_are_watched_by_name_and_let_go():
    student, teacher = two_layers(4), two_layers(9)
    hidden = Hidden(student, teacher, ("0", "2:2"))
    x = torch.randn(5, 3)
    student(x), teacher(x)
    (a, b), (c, d) = hidden.pairs()
    assert a.shape == (5, 4)
    assert b.shape == (5, 9)
    assert a.requires_grad
    assert not b.requires_grad
    assert c.shape == d.shape == (5, 2)
    choice = Distil(features=1.0, attention=0.0, layers=("0",))
    total = distil(choice, torch.zeros(()), {"o": c}, {"o": d}, hidden)
    total.backward()
    assert student[0].weight.grad.abs().sum() > 0
    hidden.close()
    assert not student[0]._forward_hooks
    with pytest.raises(UsageError, match="'body'"):
        Hidden(student, teacher, ("body",))


def test_each_task_has_its_loss_and_others_say_so():
    assert isinstance(make_loss("text-classification", Loss(), {}), ClassLoss)
    with pytest.raises(UsageError, match="custom"):
        make_loss("custom", Loss(), {})
    with pytest.raises(UsageError, match="yolo"):
        make_loss("object-detection", Loss(), {"detection": {"style": "yolo"}})
    grid = {"detection": {"style": "grid", "strides": [8, 16], "size": [64, 96]}}
    assert make_loss("object-detection", Loss(), grid).size == (64, 96)
    with pytest.raises(UsageError, match="focal"):
        make_loss("object-detection", Loss("focal"), grid)
