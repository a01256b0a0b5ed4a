from __future__ import annotations

import numpy as np
import pytest

from speedwell.passes.fuse.conv_pad import rewrite

TEXT = """g (float[N,4,8,8] x) => (float[N,6,H,W] y) {{
    h = Pad <mode = "{mode}"> (x, p{more})
    y = Conv <pads = [0,1,0,0]> (h, w) }}"""


def pads(*values):
    return np.array(values, np.int64)


def test_zeros_around_the_image_become_the_padding_of_the_convolution(model_of, rewritten, normal):
    proto = model_of(TEXT.format(mode="constant", more=""), w=normal(6, 4, 3, 3), p=pads(0, 0, 1, 0, 0, 0, 1, 2))
    done = rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)})
    assert (done.found, done.after, done.attributes["pads"]) == (1, ["Conv"], [1, 1, 1, 2])
    assert done.error < 1e-5


def test_axes_named_by_number(model_of, rewritten, normal):
    proto = model_of(
        TEXT.format(mode="constant", more=", zero, axes"), w=normal(6, 4, 3, 3), p=pads(1, 2, 0, 3),
        zero=np.float32(0), axes=pads(-1, 2),
    )  # fmt: skip
    done = rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)})
    assert (done.found, done.attributes["pads"]) == (1, [2, 2, 3, 0])
    assert done.error < 1e-5


@pytest.mark.parametrize(
    ("mode", "values", "fill"),
    [("reflect", (0, 0, 1, 1, 0, 0, 1, 1), 0), ("constant", (0, 0, 1, 1, 0, 0, 1, 1), 1),
     ("constant", (0, 0, -1, 0, 0, 0, 0, 0), 0)],
    ids=["reflecting", "with ones", "cutting"],
)  # fmt: skip
def test_other_padding_stays(model_of, rewritten, normal, mode, values, fill):
    proto = model_of(
        TEXT.format(mode=mode, more=", fill"), w=normal(6, 4, 3, 3), p=pads(*values), fill=np.float32(fill)
    )
    assert rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)}).found == 0


def test_padded_channels_stay(model_of, rewritten, normal):
    proto = model_of(TEXT.format(mode="constant", more=""), w=normal(6, 6, 3, 3), p=pads(0, 1, 0, 0, 0, 1, 0, 0))
    assert rewritten(rewrite, proto, {"x": normal(2, 4, 8, 8)}).found == 0
