from __future__ import annotations

import pytest
import torch
from torch import nn

from speedwell.core.errors import UsageError
from speedwell.training.stacked.layers import ZERO_AT_ZERO, chain_of
from speedwell.training.stacked.stack import Stack


def chained(*layers):
    return chain_of(Stack([nn.Sequential(*layers)]))


@pytest.mark.parametrize("kind", ZERO_AT_ZERO, ids=lambda k: k.__name__)
def test_the_functions_that_narrow_candidates_rely_on_are_zero_at_zero(kind):
    x = torch.zeros(3)
    assert torch.equal(kind()(x), x)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Flatten(), nn.Linear(12, 4)],
        [nn.Linear(12, 8), nn.Sequential(nn.GELU(), nn.Dropout(0.1)), nn.LayerNorm(8), nn.Linear(8, 4)],
        [nn.BatchNorm1d(12), nn.Linear(12, 4)],
        [nn.LayerNorm(12, elementwise_affine=False), nn.ReLU(inplace=True), nn.Linear(12, 4, bias=False)],
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_a_chain_answers_as_its_networks_do(layers, training):
    torch.manual_seed(0)
    import copy

    networks = [nn.Sequential(*copy.deepcopy(layers)) for _ in range(3)]
    for network in networks:
        for module in network.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight)
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    chain = chain_of(Stack(networks))
    x = torch.randn(6, 3, 4) if isinstance(layers[0], nn.Flatten) else torch.randn(6, 12)
    kept = x.clone()
    own = torch.stack([x, x + 1, x + 2])
    generators = [torch.Generator().manual_seed(k) for k in range(3)] if training else None
    shared, each = chain(x, False, generators), chain(own, True, generators)
    assert torch.equal(x, kept)
    for k, network in enumerate(networks):
        network.train(training)
        assert torch.allclose(shared[k], network(x.clone()), atol=1e-5)
        assert torch.allclose(each[k], network(own[k].clone()), atol=1e-5)


def test_what_is_no_plain_chain_is_left_to_vmap():
    twice = nn.Linear(12, 12)
    assert chained(twice, nn.ReLU(), twice) is None
    assert chained(nn.Linear(12, 8), nn.Sigmoid(), nn.Linear(8, 2)) is None
    assert chained(nn.Unflatten(1, (3, 4)), nn.Conv1d(3, 4, 1)) is None
    assert chained(nn.ReLU()) is None
    watched = nn.Linear(12, 2)
    watched.register_forward_hook(lambda *_: None)
    assert chained(watched) is None
    assert chain_of(Stack([nn.Sequential(nn.Linear(12, 2), nn.LeakyReLU(s)) for s in (0.1, 0.2)])) is None
    assert chained(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2)) is not None


def test_a_batch_of_other_rank_is_refused_in_words():
    with pytest.raises(UsageError, match=r"BatchNorm1d gets \[6, 3, 12\]"):
        chained(nn.BatchNorm1d(12), nn.Linear(12, 2))(torch.randn(6, 3, 12), False, None)
    with pytest.raises(UsageError, match=r"values of shape \[12\]"):
        chained(nn.Linear(12, 2))(torch.randn(12), False, None)
