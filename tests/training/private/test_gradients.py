"""A3: each sample's gradient is its own, and no longer than it may be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from speedwell.core.errors import PrivacyError
from speedwell.networks import build_network
from speedwell.training.batch import Batch
from speedwell.training.private.gradients import SampleGradients

from .conftest import flat, plain


class Shared(nn.Module):
    """A depthwise convolution with a stride, one layer used twice, a layer norm, a parameter that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, 2, 1)
        self.depthwise = nn.Conv2d(4, 8, 3, padding=1, groups=4, bias=False)
        self.act = nn.ReLU(inplace=True)
        self.twice = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 10)
        self.idle = nn.Linear(3, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.act(self.depthwise(self.act(self.first(image)))).mean(dim=(2, 3))
        return self.head(self.norm(self.twice(torch.tanh(self.twice(x)))))


class OwnScale(nn.Module):
    """A parameter of the module itself, which Opacus takes apart by vmap."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


def group_residual() -> nn.Module:
    return build_network("residual", classes=10, size=[8, 8], channels=1, depth=8, width=8, norm="group")


def own_scale() -> nn.Module:
    return nn.Sequential(nn.Flatten(), OwnScale(), nn.Linear(64, 10))


def text() -> nn.Module:
    return build_network("encoder", classes=10, vocabulary=50, length=16, width=16, layers=1, heads=2, dropout=0.0)


def sum_of_losses(network: nn.Module, inputs: tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(network(*inputs), labels, reduction="sum")


def example(build) -> tuple[nn.Module, tuple[torch.Tensor, ...], torch.Tensor]:
    torch.manual_seed(0)
    network = build()
    labels = torch.randint(0, 10, (5,))
    if build is text:
        mask = (torch.arange(12)[None] < torch.tensor([12, 3, 7, 1, 12])[:, None]).long()
        return network, (torch.randint(0, 50, (5, 12)) * mask, mask), labels
    return network, (torch.randn(5, 1, 8, 8),), labels


def trained(network: nn.Module) -> list[nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]


def alone(network: nn.Module, inputs: tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    """[N, all parameters] by one ordinary backward pass a sample."""
    rows = []
    for i in range(len(labels)):
        network.zero_grad(set_to_none=True)
        sum_of_losses(network, tuple(x[i : i + 1] for x in inputs), labels[i : i + 1]).backward()
        rows.append(flat(torch.zeros_like(p) if p.grad is None else p.grad for p in trained(network)))
    network.zero_grad(set_to_none=True)
    return torch.stack(rows)


@pytest.mark.parametrize("build", [plain, group_residual, Shared, own_scale, text])
def test_clipped_gradients_are_those_of_each_sample_alone_clipped(build):
    network, inputs, labels = example(build)
    gradients = SampleGradients(network, trained(network))
    wanted = alone(network, inputs, labels)
    if build is text:  # finds the table of positions
        batch = Batch({"ids": inputs[0], "mask": inputs[1]}, labels, np.arange(5))
        gradients.prove(lambda b: functional.cross_entropy(network(*b.inputs.values()), b.targets), batch)
    for most in (0.05, float(wanted.norm(dim=1).median()), 1e6):
        with gradients.watching(5):
            sum_of_losses(network, inputs, labels).backward()
        sums, bad = gradients.clipped(most)
        assert not bad.any()
        factors = (most / wanted.norm(dim=1)).clamp(max=1)
        found = flat(torch.zeros_like(p) if s is None else s for p, s in zip(gradients.parameters, sums, strict=True))
        expected = factors @ wanted
        assert (found - expected).norm() <= 1e-4 * expected.norm()


@settings(deadline=None, max_examples=40)
@given(most=st.floats(1e-4, 1e3), scale=st.floats(1e-3, 1e4), seed=st.integers(0, 99))
def test_no_sample_is_longer_than_it_may_be(most, scale, seed):
    torch.manual_seed(seed)
    network = plain(seed)
    gradients = SampleGradients(network, trained(network))
    with gradients.watching(1):
        sum_of_losses(network, (scale * torch.randn(1, 1, 8, 8),), torch.tensor([seed % 10])).backward()
    sums, _ = gradients.clipped(most)
    assert float(flat(s for s in sums if s is not None).norm()) <= most


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e30])
def test_a_sample_that_is_not_finite_counts_as_zero_and_changes_no_other(value):
    network, inputs, labels = example(group_residual)
    gradients = SampleGradients(network, trained(network))
    others = [0, 1, 3, 4]

    def summed(pixels, targets):
        with gradients.watching(len(targets)):
            sum_of_losses(network, (pixels,), targets).backward()
        sums, bad = gradients.clipped(0.5)
        return flat(s for s in sums if s is not None), bad

    wanted, _ = summed(inputs[0][others], labels[others])
    broken = inputs[0].clone()
    broken[2, 0, 3, 3] = value
    found, bad = summed(broken, labels)
    if value != 1e30:  # a norm layer may make a fine number of that
        assert bad.tolist() == [False, False, True, False, False]
        assert (found - wanted).norm() <= 1e-6
    assert torch.isfinite(found).all()
    assert float((found - wanted).norm()) <= 0.5


def test_frozen_parameters_are_left_out():
    network, inputs, labels = example(plain)
    network[1].requires_grad_(False)
    gradients = SampleGradients(network, trained(network))
    with gradients.watching(5):
        sum_of_losses(network, inputs, labels).backward()
    sums, _ = gradients.clipped(1e6)
    assert [s.shape for s in sums] == [p.shape for p in network[3].parameters()]
    assert (flat(sums) - alone(network, inputs, labels).sum(dim=0)).norm() < 1e-5


def test_nothing_is_kept_or_hooked_outside():
    network, inputs, labels = example(plain)
    gradients = SampleGradients(network, trained(network))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shape"), gradients.watching(5):
            network[3](network[:3](*inputs)[:, 1:])  # fails after layers were seen
    assert not any(m._forward_hooks or m._backward_hooks for m in network.modules())
    sum_of_losses(network, inputs, labels).backward()
    assert all(p.grad_sample is None for p in network.parameters())
    # what the failed passes left is no part of the next one
    with gradients.watching(5):
        sum_of_losses(network, inputs, labels).backward()
    sums, _ = gradients.clipped(1e6)
    assert (flat(sums) - alone(network, inputs, labels).sum(dim=0)).norm() < 1e-5


class Centred(nn.Module):
    """Sees the mean of its batch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(dim=0)


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen += x.detach().sum(dim=0)
        return x


class Pair(nn.Module):
    """Two inputs to one layer with a parameter: Opacus sees the first alone."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Product()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x, 2 * x)


class Product(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(64))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x * y * self.weight


class Masked(nn.Module):
    """Dropout inside what vmap takes apart: its masks would not be those of the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.dropout = nn.Parameter(torch.ones(64)), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(x) * self.scale


def proof(layer: nn.Module) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), layer, nn.Linear(64, 10))
    batch = Batch({"image": torch.randn(3, 1, 8, 8)}, torch.tensor([1, 2, 3]), np.arange(3))

    def loss(part: Batch) -> torch.Tensor:
        return functional.cross_entropy(network(part.inputs["image"]), part.targets)

    kept = {n: v.clone() for n, v in network.state_dict().items()}
    state = torch.random.get_rng_state()
    SampleGradients(network, trained(network)).prove(loss, batch)
    assert all(torch.equal(v, kept[n]) for n, v in network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert network.training


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Centred(), "not that of the sample alone"),
        (Counting(), "changes '1.seen'"),
        (Pair(), "cannot take this network apart"),
        (Masked(), "cannot take this network apart"),
    ],
)
def test_the_proof_finds_what_would_void_the_clipping(layer, words):
    with pytest.raises(PrivacyError, match=words):
        proof(layer)


@pytest.mark.parametrize("layer", [OwnScale(), nn.Dropout(0.5), nn.LayerNorm(64)])
def test_the_proof_passes_what_is_right(layer):
    proof(layer)
