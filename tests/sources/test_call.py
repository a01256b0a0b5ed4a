# ruff: noqa: ARG005 - the lambdas stand for forward methods: their parameters are what is tested
from __future__ import annotations

from collections import namedtuple

import pytest
import torch

from speedwell.core import Signature, TensorSpec
from speedwell.sources.call import call_module, flatten_outputs, forward_names

ONE = torch.ones(2, 3)


def signature(*inputs, outputs=()):
    return Signature(tuple(TensorSpec(n, "float32", ()) for n in inputs),
                     tuple(TensorSpec(n, "float32", ()) for n in outputs))  # fmt: skip


def module(forward):
    return type("Net", (torch.nn.Module,), {"forward": forward})()


@pytest.mark.parametrize(
    ("forward", "names"),
    [
        (lambda self, image: image, ("image",)),
        (lambda self, a, b, scale=2: a, ("a", "b")),
        (lambda self, input_ids, attention_mask=None, token_type_ids=None, labels=None: 0,
         ("input_ids", "attention_mask", "token_type_ids")),
        (lambda self, input_ids=None, past=None, attention_mask=None: 0, ("input_ids", "attention_mask")),
        (lambda self, pixel_values=None, labels=None: 0, ("pixel_values",)),
        (lambda self, x=None, y=None: 0, ("x",)),
        (lambda self, *tensors: 0, ("tensors",)),
        (lambda self, ids, mask, **more: 0, ("ids", "mask")),
        (lambda self: 0, ()),
    ],
)  # fmt: skip
def test_the_inputs_are_the_parameters_that_forward_needs(forward, names):
    assert forward_names(module(forward)) == names


# torch.compile imports parts of torch that torch itself has deprecated
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_modules_of_torch_have_names_too():
    assert forward_names(torch.nn.Sequential(torch.nn.Linear(1, 1))) == ("input",)
    assert forward_names(torch.compile(module(lambda self, image: image))) == ("image",)


def test_names_decide_not_positions():
    net = module(lambda self, a, flag=None, b=None: a - b)
    assert float(call_module(net, {"a": ONE * 3, "b": ONE}, signature("a", "b"))["output"][0, 0]) == 2
    net = module(lambda self, *tensors: tensors[0] - tensors[1])
    assert float(call_module(net, {"b": ONE, "a": ONE * 3}, signature("a", "b"))["output"][0, 0]) == 2


Pair = namedtuple("Pair", "first second")


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (ONE, ["output"]),
        ((ONE, ONE), ["output_0", "output_1"]),
        ([ONE, None, ONE], ["output_0", "output_2"]),
        ({"logits": ONE, "loss": None, "n": 3}, ["logits"]),
        (Pair(ONE, (ONE, ONE)), ["first", "second_0", "second_1"]),
        ({"boxes": {"xy": ONE}, "past": (ONE,)}, ["boxes_xy", "past_0"]),
        (None, []),
    ],
)
def test_any_nesting_of_outputs_is_flat(answer, names):
    assert list(flatten_outputs(answer)) == names


def test_the_signature_picks_and_orders_the_outputs():
    net = module(lambda self, x: {"a": x, "b": x + 1, "c": x + 2})
    assert list(call_module(net, {"x": ONE}, signature("x", outputs=("c", "a")))) == ["c", "a"]


# torch.compile imports parts of torch that torch itself has deprecated
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_compiled_module_is_called_as_the_one_inside():
    net = torch.compile(module(lambda self, a, b: {"sum": a + 2 * b}), backend="eager")
    got = call_module(net, {"b": ONE, "a": ONE}, signature("a", "b", outputs=("sum",)))
    assert float(got["sum"][0, 0]) == 3
