from __future__ import annotations

import numpy as np
import pytest

from speedwell.passes.fuse.layer_norm import rewrite

HEAD = "g (float[N,5,16] x) => (float[N,5,16] y) {"
AXIS = {"last": np.array([-1], np.int64), "third": np.array([2], np.int64)}
SQUARES = ["q = Pow (d, two)", "q = Mul (d, d)", "e = Sub (x, m) q = Pow (e, two)"]
DIVISIONS = ["n = Div (d, s)", "r = Reciprocal (s) n = Mul (d, r)", "r = Reciprocal (s) n = Mul (r, d)"]


def weights(normal, **more):
    return {"two": np.float32(2), "eps": np.float32(1e-5), "gamma": normal(16), "beta": normal(16), **more}


def text(square, division, tail="k = Mul (gamma, n) y = Add (k, beta)"):
    return f"""{HEAD} m = ReduceMean <keepdims = 1> (x, axis) d = Sub (x, m) {square}
        v = ReduceMean <keepdims = 1> (q, axis) t = Add (v, eps) s = Sqrt (t) {division} {tail} }}"""


@pytest.mark.parametrize("axis", AXIS)
@pytest.mark.parametrize("square", SQUARES)
@pytest.mark.parametrize("division", DIVISIONS)
def test_every_way_to_write_it_is_found(model_of, rewritten, normal, axis, square, division):
    proto = model_of(text(square, division), **weights(normal, axis=AXIS[axis]))
    done = rewritten(rewrite, proto, {"x": normal(2, 5, 16)})
    assert (done.found, done.after) == (1, ["LayerNormalization"])
    assert done.attributes["epsilon"] == np.float32(1e-5)
    assert done.error < 1e-5


def test_without_a_shift(model_of, rewritten, normal):
    proto = model_of(text(SQUARES[0], DIVISIONS[0], "y = Mul (n, gamma)"), **weights(normal, axis=AXIS["last"]))
    done = rewritten(rewrite, proto, {"x": normal(2, 5, 16)})
    assert (done.found, done.after) == (1, ["LayerNormalization"])
    assert done.error < 1e-5


def test_another_axis_stays(model_of, rewritten, normal):
    proto = model_of(text(SQUARES[0], DIVISIONS[0]), **weights(normal, axis=np.array([1], np.int64)))
    assert rewritten(rewrite, proto, {"x": normal(2, 5, 16)}).found == 0


def test_cubes_stay(model_of, rewritten, normal):
    proto = model_of(text(SQUARES[0], DIVISIONS[0]), **weights(normal, axis=AXIS["last"]) | {"two": np.float32(4)})
    assert rewritten(rewrite, proto, {"x": normal(2, 5, 16)}).found == 0


def test_an_operator_set_without_it_stays(model_of, rewritten, normal):
    old = text(SQUARES[0], DIVISIONS[0]).replace("(x, axis)", "(x)").replace("(q, axis)", "(q)")
    old = old.replace("keepdims = 1", "keepdims = 1, axes = [-1]")
    assert rewritten(rewrite, model_of(old, 14, **weights(normal)), {"x": normal(2, 5, 16)}).found == 0
    done = rewritten(rewrite, model_of(old, 17, **weights(normal)), {"x": normal(2, 5, 16)})
    assert (done.found, done.after) == (1, ["LayerNormalization"])
