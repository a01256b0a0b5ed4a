from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import UsageError
from speedwell.training.losses.classification import ClassLoss
from speedwell.training.losses.distillation import distil
from speedwell.training.recipe import Distil, Loss
from speedwell.training.stacked.losses import StackedLoss


def alone(choice, scores, targets, teacher):
    leaf = scores.clone().requires_grad_()
    loss = ClassLoss(choice)({"scores": leaf}, targets)
    if choice.distil is not None and teacher is not None:
        loss = distil(choice.distil, loss, {"scores": leaf}, {"scores": teacher})
    loss.backward()
    return loss.detach(), leaf.grad


SHARES = st.sampled_from([0.0, 0.3, 1.0])


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(), name=st.sampled_from(["auto", "focal"]), hard=st.booleans(), classes=st.sampled_from([1, 2, 9]),
    own=st.booleans(), taught=st.booleans(),
)  # fmt: skip
def test_losses_and_gradients_are_those_of_each_candidate_alone(data, name, hard, classes, own, taught):
    def choice():
        heat = data.draw(st.sampled_from([0.5, 1.0, 4.0]))
        soft = Distil(data.draw(SHARES), heat, hard) if data.draw(st.booleans()) else None
        return Loss(name, data.draw(st.sampled_from([0.0, 0.2])), data.draw(st.sampled_from([0.0, 2.0])), soft)

    choices = [choice() for _ in range(3)]
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    scores, teacher = torch.randn(3, 6, classes) * 3, torch.randn(*((3,) if own else ()), 6, classes) * 3
    targets = torch.randint(0, max(2, classes), (3, 6) if own else (6,))
    losses, gradients = StackedLoss(choices)(scores, targets, teacher if taught else None)
    for k in range(3):
        its = (teacher[k] if own else teacher) if taught else None
        loss, gradient = alone(choices[k], scores[k], targets[k] if own else targets, its)
        assert torch.allclose(losses[k], loss, rtol=1e-5, atol=1e-6)
        assert torch.allclose(gradients[k], gradient, rtol=1e-4, atol=1e-6)


def test_a_score_that_is_not_finite_spoils_its_own_candidate_alone():
    scores = torch.randn(3, 4, 5)
    scores[1, 0, 0] = float("nan")
    losses, gradients = StackedLoss([Loss(smoothing=0.1)] * 3)(scores, torch.arange(4))
    assert losses.isfinite().tolist() == [True, False, True]
    assert gradients.isfinite().all(dim=(1, 2)).tolist() == [True, False, True]


def test_a_teacher_of_other_classes_is_refused():
    with pytest.raises(UsageError, match=r"the candidates give \[4, 5\], the teacher \[4, 6\]"):
        StackedLoss([Loss(distil=Distil())])(torch.zeros(1, 4, 5), torch.arange(4), torch.zeros(4, 6))
