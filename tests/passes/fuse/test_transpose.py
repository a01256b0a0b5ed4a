from __future__ import annotations

from speedwell.passes.fuse import identity, transpose


def test_two_become_one(model_of, rewritten, normal):
    proto = model_of(
        """g (float[2,3,4] x) => (float[3,4,2] y) {
            h = Transpose <perm = [2,0,1]> (x)
            y = Transpose <perm = [2,0,1]> (h) }""",
    )
    done = rewritten(transpose.rewrite, proto, {"x": normal(2, 3, 4)})
    assert (done.found, done.after, done.attributes["perm"], done.error) == (1, ["Transpose"], [1, 2, 0], 0)


def test_two_that_cancel_go(model_of, rewritten, normal):
    proto = model_of(
        """g (float[2,3,4] x) => (float[2,3,4] y) {
            h = Transpose <perm = [2,0,1]> (x)
            k = Transpose <perm = [1,2,0]> (h)
            y = Relu (k) }""",
    )
    done = rewritten(lambda m: transpose.rewrite(m) + identity.rewrite(m), proto, {"x": normal(2, 3, 4)})
    assert (done.found, done.after, done.error) == (2, ["Relu"], 0)
