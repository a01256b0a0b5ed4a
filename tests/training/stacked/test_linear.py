from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from speedwell.training.stacked.linear import StackedLinear


@pytest.mark.parametrize("shape", [(6, 10), (6, 3, 10)])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("stacked", [True, False])
def test_outputs_and_gradients_are_those_of_k_linear_layers(shape, biased, stacked):
    torch.manual_seed(0)
    weight, bias = nn.Parameter(torch.randn(4, 7, 10)), nn.Parameter(torch.randn(4, 7)) if biased else None
    x = torch.randn(*((4,) if stacked else ()), *shape, requires_grad=stacked)
    y = StackedLinear(weight, bias)(x, stacked)
    g = torch.randn_like(y)
    y.backward(g)
    for k in range(4):
        w, b = (None if p is None else p.detach()[k].clone().requires_grad_() for p in (weight, bias))
        own = (x[k] if stacked else x).detach().clone().requires_grad_()
        alone = functional.linear(own, w, b)
        alone.backward(g[k])
        assert torch.allclose(y[k], alone, atol=1e-5)
        assert torch.allclose(weight.grad[k], w.grad, atol=1e-4)
        if stacked:
            assert torch.allclose(x.grad[k], own.grad, atol=1e-5)
        if bias is not None:
            assert torch.allclose(bias.grad[k], b.grad, atol=1e-4)


def test_a_shared_input_is_not_copied_for_each_candidate():
    x = torch.randn(6, 10)
    y = StackedLinear(nn.Parameter(torch.randn(4, 3, 10)), nn.Parameter(torch.randn(4, 3)))(x, False)
    product = y.grad_fn.next_functions[0][0]
    kept = product.saved_tensors[0]
    assert kept.shape == (4, 6, 10)
    assert kept.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


def test_a_frozen_weight_gets_no_gradient():
    layer = StackedLinear(nn.Parameter(torch.randn(2, 3, 4), requires_grad=False), nn.Parameter(torch.zeros(2, 3)))
    layer(torch.randn(5, 4), False).sum().backward()
    assert layer.weight.grad is None
    assert torch.equal(layer.bias.grad, torch.full((2, 3), 5.0))
