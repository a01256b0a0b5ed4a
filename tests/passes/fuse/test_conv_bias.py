from __future__ import annotations

import pytest

from speedwell.passes.fuse.conv_bias import rewrite


@pytest.mark.parametrize("shape", [(1, 6, 1, 1), (6, 1, 1), (1,), ()])
@pytest.mark.parametrize("bias", [False, True])
def test_add_of_one_number_per_channel_becomes_the_bias(model_of, rewritten, normal, shape, bias):
    proto = model_of(
        f"""g (float[N,4,8,8] x) => (float[N,6,8,8] y) {{
            h = Conv <pads = [1,1,1,1]> (x, w{", c" if bias else ""})
            y = Add (k, h) }}""",
        w=normal(6, 4, 3, 3), k=normal(*shape), **({"c": normal(6)} if bias else {}),
    )  # fmt: skip
    done = rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)})
    assert (done.found, done.after) == (1, ["Conv"])
    assert done.error < 1e-5


def test_conv_transpose_in_groups(model_of, rewritten, normal):
    proto = model_of(
        """g (float[N,4,5,5] x) => (float[N,6,7,7] y) {
            h = ConvTranspose <group = 2> (x, w)
            y = Add (h, k) }""",
        w=normal(4, 3, 3, 3), k=normal(6, 1, 1),
    )  # fmt: skip
    done = rewritten(rewrite, proto, {"x": normal(2, 4, 5, 5)})
    assert (done.found, done.after) == (1, ["ConvTranspose"])
    assert done.error < 1e-5


@pytest.mark.parametrize("shape", [(8,), (1, 1, 8, 8), (1, 6, 8, 8)])
def test_add_that_differs_by_place_stays(model_of, rewritten, normal, shape):
    proto = model_of(
        """g (float[N,4,8,8] x) => (float[N,6,8,8] y) {
            h = Conv <pads = [1,1,1,1]> (x, w)
            y = Add (h, k) }""",
        w=normal(6, 4, 3, 3), k=normal(*shape),
    )  # fmt: skip
    assert rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)}).found == 0
