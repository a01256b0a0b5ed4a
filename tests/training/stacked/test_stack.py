from __future__ import annotations

import pytest
import torch
from torch import nn

from speedwell.core.errors import UsageError
from speedwell.training.stacked.stack import Stack

from .candidates import Branched, mlp


def test_what_is_written_back_is_what_was_stacked():
    for networks in (
        [mlp(k, 8, norm="batch") for k in range(3)],
        [mlp(k, w, norm="batch") for k, w in ((0, 3), (1, 9))],
    ):
        before = [{n: v.clone() for n, v in m.state_dict().items()} for m in networks]
        stack = Stack(networks)
        for k, want in enumerate(before):
            with torch.no_grad():
                for parameter in networks[k].parameters():
                    parameter.fill_(-1)
            found = stack.write(k).state_dict()
            assert all(torch.equal(found[n], v) for n, v in want.items())


def test_a_narrow_network_lies_in_the_corner_and_the_rest_is_zero():
    stack = Stack([mlp(0, 4), mlp(1, 7)])
    assert stack.narrow
    weight = stack.parameters["0.weight"]
    assert weight.shape == (2, 7, 12)
    own = stack.is_own("0.weight", 0)
    assert own.sum() == 4 * 12
    assert own[:4].all()
    assert (weight[0][~own] == 0).all()
    assert stack.is_own("0.weight", 1).all()
    assert not Stack([mlp(0, 4), mlp(1, 4)]).narrow


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (nn.Sequential(nn.Linear(12, 8), nn.GELU(), nn.Linear(8, 5)), "candidate 1 is not built like .*: 1 is a GELU"),
        (nn.Sequential(nn.Linear(12, 8), nn.ReLU()), "one has more layers"),
        (Branched(0), "the network is a Branched"),
        (nn.Sequential(nn.Linear(12, 8, bias=False), nn.ReLU(), nn.Linear(8, 5)), r"candidate 1 lacks 0\.bias"),
        (mlp(0, 8).double(), r"candidate 1: 0\.weight is not as in candidate 0"),
    ],
)
def test_networks_that_differ_in_more_than_width_are_refused(other, words):
    with pytest.raises(UsageError, match=words):
        Stack([mlp(0, 8), other])


def test_float32_is_what_is_trained():
    with pytest.raises(UsageError, match=r"0\.weight is torch\.float64"):
        Stack([mlp(0, 8).double()])
