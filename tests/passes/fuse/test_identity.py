from __future__ import annotations

import numpy as np
import pytest

from speedwell.passes.fuse.identity import rewrite

NOTHING = {
    "Identity (x)": {},
    "Dropout (x)": {},
    "Dropout (x, ratio, off)": {"ratio": np.float32(0.5), "off": np.array(False)},
    "Cast <to = 1> (x)": {},
    "Concat <axis = 0> (x)": {},
    "Transpose <perm = [0,1]> (x)": {},
    "Pad (x, zeros)": {"zeros": np.zeros(4, np.int64)},
    "Add (x, zero)": {"zero": np.float32(0)},
    "Add (zero, x)": {"zero": np.zeros(1, np.float32)},
    "Mul (one, x)": {"one": np.float32(1)},
    "Sub (x, zero)": {"zero": np.float32(0)},
    "Div (x, one)": {"one": np.ones((1, 1), np.float32)},
}
SOMETHING = {
    "Cast <to = 1> (k)": {},
    "Transpose <perm = [1,0]> (x)": {},
    "Add (x, one)": {"one": np.float32(1)},
    "Sub (zero, x)": {"zero": np.float32(0)},
    "Div (one, x)": {"one": np.float32(1)},
}


@pytest.mark.parametrize("text", NOTHING)
def test_what_does_nothing_goes(model_of, rewritten, normal, text):
    proto = model_of(f"g (float[3,3] x) => (float[3,3] y) {{ h = {text} y = Relu (h) }}", **NOTHING[text])
    done = rewritten(rewrite, proto, {"x": normal(3, 3)})
    assert (done.found, done.after, done.error) == (1, ["Relu"], 0)


@pytest.mark.parametrize("text", SOMETHING)
def test_what_does_something_stays(model_of, rewritten, normal, text):
    proto = model_of(f"g (float[3,3] x) => (float[3,3] y) {{ k = Cast <to = 11> (x) h = {text} y = Relu (h) }}",
                     **SOMETHING[text])  # fmt: skip
    assert rewritten(rewrite, proto, {"x": normal(3, 3)}).found == 0


def test_a_constant_that_adds_a_dimension_stays(model_of, rewritten, normal):
    proto = model_of("g (float[3,3] x) => (float[1,3,3] y) { h = Add (x, zero) y = Relu (h) }",
                     zero=np.zeros((1, 1, 1), np.float32))  # fmt: skip
    assert rewritten(rewrite, proto, {"x": normal(3, 3)}).found == 0


def test_an_output_that_is_the_input_stays(model_of, rewritten, normal):
    proto = model_of("g (float[3,3] x) => (float[3,3] y) { y = Identity (x) }")
    done = rewritten(rewrite, proto, {"x": normal(3, 3)})
    assert (done.found, done.after) == (0, ["Identity"])


def test_the_output_keeps_its_name(model_of, rewritten, normal):
    proto = model_of("g (float[3,3] x) => (float[3,3] y) { h = Relu (x) y = Identity (h) }")
    done = rewritten(rewrite, proto, {"x": normal(3, 3)})
    assert (done.found, done.after) == (1, ["Relu"])
