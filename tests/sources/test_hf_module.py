# ruff: noqa: ARG005 - the lambdas stand for forward methods: their parameters are what is tested
from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from speedwell.sources.call import forward_names
from speedwell.sources.hf_module import ImageLogits, TextLogits, TypedTextLogits, wrap


def network(types, forward):
    net = type("Net", (torch.nn.Module,), {"forward": forward})()
    net.config = SimpleNamespace(type_vocab_size=types)
    return net


@pytest.mark.parametrize(
    ("types", "forward", "kind", "names"),
    [
        (2, lambda self, input_ids, attention_mask, token_type_ids=None: 0, TypedTextLogits,
         ("input_ids", "attention_mask", "token_type_ids")),
        (1, lambda self, input_ids, attention_mask, token_type_ids=None: 0, TextLogits,
         ("input_ids", "attention_mask")),
        (2, lambda self, input_ids, attention_mask: 0, TextLogits, ("input_ids", "attention_mask")),
        (0, lambda self, pixel_values: 0, ImageLogits, ("pixel_values",)),
    ],
)  # fmt: skip
def test_the_wrapper_takes_what_the_network_uses(types, forward, kind, names):
    wrapped = wrap(network(types, forward))
    assert isinstance(wrapped, kind)
    assert forward_names(wrapped) == names


def test_logits_come_out_and_inputs_go_by_name():
    net = network(0, lambda self, attention_mask, input_ids: SimpleNamespace(logits=input_ids - attention_mask))
    assert int(wrap(net)(torch.tensor(3), torch.tensor(1))) == 2
