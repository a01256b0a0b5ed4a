"""Random networks: every rewrite may meet any other, and the answers stay ONNX Runtime's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from speedwell.native import Session, lower

from .lowered import BUILT, normal, reference

STEPS = (
    "$t = Transpose<perm = [1, 0, 2]>(@)",
    "$t = Reshape(@, keep)",
    "$t = Add(@, row)",
    "$t = Add(@, &)",
    "$t = Tanh(@)",
    "$t = Concat<axis = 1>(@, &)",
    "$t = Slice(@, from0, to2, axis0)",
    "$k = Shape(&) $t = Reshape(@, $k)",
    "$r = Reshape(@, line) $k = Shape(@) $t = Reshape($r, $k)",
    "$t = MatMul(@, square)",
    "$a = MatMul(@, square) $b = Add($a, row) $t = Add($b, &)",
    "$a = MatMul(@, square) $b = Add(&, $a) $t = LayerNormalization($b, row)",
    "$a = Add(@, &) $t = LayerNormalization($a, row, row)",
    "$q = QuantizeLinear(@, sc, zp) $t = DequantizeLinear($q, sc, zp)",
    "$q = QuantizeLinear(@, sc, zp) $d = DequantizeLinear($q, sc, zp) $w = DequantizeLinear(sq, sc)"
    " $t = MatMul($d, $w)",
    "$t = Mul(@, half)",
    "$r = Reshape(@, rows) $g = Gemm($r, square, row) $k = Shape(@) $p = Reshape($g, $k) $t = Add($p, &)",
    "$a = MatMul(@, square) $b = Mul($a, row) $t = Add($b, &)",
    "$r = Reshape(@, rows) $k = Shape(@) $p = MatMul($r, square) $a = Relu($p) $t = Reshape($a, $k)",
    "$a = Sigmoid(@) $t = Mul($a, @)",
    "$a = Div(@, root) $b = Erf($a) $c = Add($b, one) $d = Mul($c, @) $t = Mul($d, half)",
    "$a, $c = Split<axis = 2, num_outputs = 2>(@) $t = Concat<axis = 2>($c, $a)",
    "$u = Unsqueeze(@, axis0) $v = Unsqueeze(&, axis0) $m = Transpose<perm = [0, 1, 3, 2]>($u) $s = MatMul($v, $m)"
    " $p = Softmax($s) $o = MatMul($p, $u) $t = Squeeze($o, axis0)",
    "$q = Reshape(@, heads) $a = Transpose<perm = [0, 2, 1, 3]>($q) $k = Reshape(&, heads)"
    " $b = Transpose<perm = [0, 2, 3, 1]>($k) $s = MatMul($a, $b) $h = Mul($s, half) $p = Softmax($h)"
    " $v = Transpose<perm = [0, 2, 1, 3]>($k) $o = MatMul($p, $v) $r = Transpose<perm = [0, 2, 1, 3]>($o)"
    " $t = Reshape($r, flat)",
)
"""$: names of its own; @ and &: a tensor [.., .., 4] that is there already. The result is $t."""
WEIGHTS = {
    "row": normal(4), "square": normal(4, 4) * 0.5, "keep": np.array([0, -1, 4]), "line": np.array([-1]),
    "rows": np.array([-1, 4]), "from0": np.array([0]), "to2": np.array([2]), "axis0": np.array([0]),
    "sc": np.float32(0.05), "zp": np.uint8(120), "sq": np.arange(-8, 8).astype(np.int8).reshape(4, 4),
    "half": np.float32(0.5), "root": np.float32(2**0.5), "one": np.float32(1), "heads": np.array([0, 0, 2, 2]),
    "flat": np.array([0, 0, 4]),
}  # fmt: skip
LAST = 4


def written(chosen: list[tuple[int, int, int]], sizes: str) -> str:
    """Each step reads two of the last tensors; the last two are outputs."""
    names, body = ["x"], []
    for i, (step, one, other) in enumerate(chosen):
        first, second = (names[max(0, len(names) - 1 - back)] for back in (one, other))
        body.append(STEPS[step].replace("@", first).replace("&", second).replace("$", f"v{i}"))
        names.append(f"v{i}t")
    outputs = ", ".join(f"float[p{i}, q{i}, 4] {name}" for i, name in enumerate(names[1:][-2:]))
    return f"g (float[{sizes}, 4] x) => ({outputs}) {{ {' '.join(body)} }}"


@pytest.mark.skipif(not BUILT, reason="compares answers")
@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, LAST - 1), st.integers(0, LAST - 1)), min_size=1,
             max_size=8),
    st.sampled_from(["2, 5", "b, s", "b, 5", "?, ?"]),
)  # fmt: skip
def test_random_networks_answer_as_onnx_runtime_does(chosen: list[tuple[int, int, int]], sizes: str) -> None:
    graph = written(chosen, sizes)
    proto = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 20]>\n{graph}')
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in WEIGHTS.items())
    feeds = {"x": normal(2, 5, 4)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx.save(proto, folder / "m.onnx")
        try:
            want = reference(folder / "m.onnx", feeds)
        except (Fail, InvalidArgument, RuntimeException):
            event("sizes do not fit")
            return
        lower(folder / "m.onnx", folder / "plan")
        got = Session(folder / "plan").run(feeds)
    event("answers")
    for key, array in want.items():
        assert got[key].shape == array.shape
        gap = np.abs(got[key] - array)
        if "Quantize" in graph:  # a step that rounds the other way is seen by what follows
            assert float(np.quantile(gap, 0.5, method="higher")) <= 0.1 * max(1.0, float(np.abs(array).max()))
        else:
            assert float(gap.max()) <= 1e-4 * max(1.0, float(np.abs(array).max()))
