from __future__ import annotations

import numpy as np

from speedwell.passes.fuse.constants import LARGEST, rewrite


def test_a_large_transposed_weight_is_folded(model_of, rewritten, normal):
    w = normal(300, 400)
    assert w.size > LARGEST
    proto = model_of("g (float[N,400] x) => (float[N,300] y) { t = Transpose (w) y = MatMul (x, t) }", w=w)
    done = rewritten(rewrite, proto, {"x": normal(2, 400)})
    assert done.after == ["MatMul"]
    assert done.error < 1e-3


def test_what_would_blow_the_file_up_stays_computed(model_of, rewritten, normal):
    proto = model_of(
        "g (float[400,400] x) => (float[400,400] y) { e = Add (a, b) y = Add (x, e) }",
        a=normal(400, 1),
        b=normal(1, 400),
    )
    done = rewritten(rewrite, proto, {"x": normal(400, 400)})
    assert done.after == ["Add", "Add"]


def test_padding_written_with_constant_of_shape_is_folded(model_of, rewritten, normal):
    proto = model_of(
        """g (float[N,2] x) => (float[N,4] y) {
            z = ConstantOfShape <value = int64[1] {0}> (n)
            p = Concat <axis = 0> (z, q)
            y = Pad (x, p) }""",
        n=np.array([2], np.int64), q=np.array([0, 2], np.int64),
    )  # fmt: skip
    done = rewritten(rewrite, proto, {"x": normal(3, 2)})
    assert (done.after, done.error) == (["Pad"], 0)


def test_the_same_computation_twice_becomes_one(model_of, rewritten, normal):
    proto = model_of("g (float[N,2] x) => (float[N,2] y) { a = Sin (x) b = Sin (x) y = Add (a, b) }")
    done = rewritten(rewrite, proto, {"x": normal(3, 2)})
    assert (done.found, done.after, done.error) == (1, ["Sin", "Add"], 0)
