from __future__ import annotations

import numpy as np
import pytest

from speedwell.passes.fuse.batch_norm import rewrite

NORM = "BatchNormalization <epsilon = 0.001> "


@pytest.fixture
def statistics(normal):
    def make(channels):
        positive = np.abs(normal(channels)) + 0.5
        return {"g": normal(channels), "b": normal(channels), "m": normal(channels), "v": positive}

    return make


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("group", [1, 2])
def test_after_conv(model_of, rewritten, normal, statistics, bias, group):
    weights = {"w": normal(6, 4 // group, 3, 3), **statistics(6), **({"c": normal(6)} if bias else {})}
    proto = model_of(
        f"""g (float[N,4,8,8] x) => (float[N,6,8,8] y) {{
            h = Conv <pads = [1,1,1,1], group = {group}> (x, w{", c" if bias else ""})
            y = {NORM} (h, g, b, m, v) }}""",
        **weights,
    )
    done = rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)})
    assert (done.found, done.after) == (1, ["Conv"])
    assert done.error < 1e-5


@pytest.mark.parametrize("group", [1, 2])
def test_after_conv_transpose(model_of, rewritten, normal, statistics, group):
    proto = model_of(
        f"""g (float[N,4,5,5] x) => (float[N,6,11,11] y) {{
            h = ConvTranspose <strides = [2,2], group = {group}> (x, w)
            y = {NORM} (h, g, b, m, v) }}""",
        w=normal(4, 6 // group, 3, 3),
        **statistics(6),
    )
    done = rewritten(rewrite, proto, {"x": normal(2, 4, 5, 5)})
    assert (done.found, done.after) == (1, ["ConvTranspose"])
    assert done.error < 1e-5


@pytest.mark.parametrize("transposed", [0, 1])
def test_after_gemm(model_of, rewritten, normal, statistics, transposed):
    proto = model_of(
        f"""g (float[N,4] x) => (float[N,6] y) {{
            h = Gemm <transB = {transposed}, alpha = 0.5, beta = 2.0> (x, w, c)
            y = {NORM} (h, g, b, m, v) }}""",
        w=normal(6, 4) if transposed else normal(4, 6),
        c=normal(6),
        **statistics(6),
    )
    done = rewritten(rewrite, proto, {"x": normal(3, 4)})
    assert (done.found, done.after) == (1, ["Gemm"])
    assert done.error < 1e-5


@pytest.mark.parametrize("group", [1, 2])
def test_before_conv_without_padding(model_of, rewritten, normal, statistics, group):
    proto = model_of(
        f"""g (float[N,4,8,8] x) => (float[N,6,6,6] y) {{
            h = {NORM} (x, g, b, m, v)
            y = Conv <group = {group}> (h, w) }}""",
        w=normal(6, 4 // group, 3, 3),
        **statistics(4),
    )
    done = rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)})
    assert (done.found, done.after) == (1, ["Conv"])
    assert done.error < 2e-5


@pytest.mark.parametrize("transposed", [0, 1])
def test_before_gemm(model_of, rewritten, normal, statistics, transposed):
    proto = model_of(
        f"""g (float[N,4] x) => (float[N,6] y) {{
            h = {NORM} (x, g, b, m, v)
            y = Gemm <transB = {transposed}> (h, w, c) }}""",
        w=normal(6, 4) if transposed else normal(4, 6),
        c=normal(6),
        **statistics(4),
    )
    done = rewritten(rewrite, proto, {"x": normal(3, 4)})
    assert (done.found, done.after) == (1, ["Gemm"])
    assert done.error < 1e-5


def test_before_padded_conv_stays(model_of, rewritten, normal, statistics):
    proto = model_of(
        f"""g (float[N,4,8,8] x) => (float[N,6,8,8] y) {{
            h = {NORM} (x, g, b, m, v)
            y = Conv <pads = [1,1,1,1]> (h, w) }}""",
        w=normal(6, 4, 3, 3),
        **statistics(4),
    )
    done = rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)})
    assert (done.found, done.after) == (0, done.before)


def test_a_convolution_that_others_read_stays(model_of, rewritten, normal, statistics):
    proto = model_of(
        f"""g (float[N,4,8,8] x) => (float[N,4,8,8] z) {{
            h = Conv <pads = [1,1,1,1]> (x, w)
            y = {NORM} (h, g, b, m, v)
            z = Add (h, y) }}""",
        w=normal(4, 4, 3, 3),
        **statistics(4),
    )
    assert rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)}).found == 0
