from __future__ import annotations

import pytest
import torch
from torch import nn

from speedwell.core.errors import UsageError
from speedwell.networks import build_network


def test_group_norm_takes_the_place_of_every_batch_norm():
    torch.manual_seed(0)
    batch = build_network("residual", classes=5, size=[16, 16], depth=14)
    torch.manual_seed(0)
    group = build_network("residual", classes=5, size=[16, 16], depth=14, norm="group")
    assert not any(isinstance(m, nn.BatchNorm2d) for m in group.modules())
    norms = [m for m in batch.modules() if isinstance(m, nn.BatchNorm2d)]
    found = [m for m in group.modules() if isinstance(m, nn.GroupNorm)]
    assert [m.num_channels for m in found] == [m.num_features for m in norms]
    assert all(m.num_channels // m.num_groups == 4 for m in found)
    assert [p.shape for p in group.parameters()] == [p.shape for p in batch.parameters()]
    assert not list(group.buffers())


def test_a_sample_is_treated_by_itself():
    torch.manual_seed(0)
    network = build_network("residual", classes=5, size=[16, 16], depth=8, width=6, norm="group").train()
    images = torch.randn(4, 3, 16, 16)
    whole = network(images)
    for i in range(4):
        assert torch.allclose(network(images[i : i + 1]), whole[i : i + 1], atol=1e-5)


def test_an_unknown_norm_is_named():
    with pytest.raises(UsageError, match="norm is 'layer'"):
        build_network("residual", classes=5, norm="layer")
