"""The quantizer's choices that lengthen sums in 16 bits: read off the graph, proven, the same answers as elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

from speedwell.core.errors import EngineError
from speedwell.native import LowerOptions, Session, lower, supported_isas
from speedwell.passes import QuantizeDynamic, QuantizeStatic, reference
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import Case, case_of

from .lowered import BUILT, lowered, model_of, normal, read_plan

BERT = next(n for n in NETWORKS if n.name == "bert")
AVX2 = "avx2" in supported_isas()
PRODUCTS = {
    f"{kind.name} {name}": kind(weight_bits=7, **settings)
    for kind in (QuantizeStatic, QuantizeDynamic)
    for name, settings in (("plain", {}), ("7 bits", {"activation_bits": 7}), ("bound", {"run": 8}))
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Case]]:
    yield {name: case_of(made, BERT, tmp_path_factory.mktemp("case")) for name, made in PRODUCTS.items()}
    reference.forget()


def mean_run(folder: Path) -> float:
    """Quads per widening over all products of the plan in ``folder``."""
    plan, tensors = read_plan(folder), load_file(folder / "weights.safetensors")
    held = {c.value: c.tensor for c in plan.constants}
    operators = [o for o in plan.operators if o.kind == "gemm_int8"]
    assert operators
    assert all(len(o.inputs) == 7 for o in operators), "a product has no runs"
    quads = sum(tensors[held[o.inputs[5]]].size for o in operators)
    return quads / sum(int((tensors[held[o.inputs[6]]] > 0).sum()) for o in operators)


@pytest.mark.parametrize("how", ["quantize_static", "quantize_dynamic"])
def test_each_choice_lengthens_the_runs(cases: dict[str, Case], how: str, tmp_path: Path) -> None:
    found = {}
    for what in ("plain", "7 bits", "bound"):
        lower(cases[f"{how} {what}"].after.payload, tmp_path / what)
        found[what] = mean_run(tmp_path / what)
    assert found["7 bits"] > 1.3 * found["plain"]  # the products have 8 quads, most of them; that is the limit here
    assert found["bound"] > 1.3 * found["plain"]


@pytest.mark.parametrize("how", ["quantize_static", "quantize_dynamic"])
def test_the_bound_of_seven_bits_is_in_the_plan(cases: dict[str, Case], how: str, tmp_path: Path) -> None:
    lower(cases[f"{how} 7 bits"].after.payload, tmp_path)
    operators = read_plan(tmp_path).operators
    products = [o.attributes["input"] for o in operators if o.kind == "gemm_int8"]
    assert {i.get("rows", i.get("high")) for i in products} == {127}
    if how == "quantize_static":  # whoever makes the bytes holds them to it
        made = [o.attributes if o.kind == "quantize" else o.attributes.get("out") for o in operators]
        assert {m["high"] for m in made if m} == {127}
        assert not [o for o in operators if o.kind == "Clip"]


@pytest.mark.skipif(not BUILT, reason="the executor is not built")
@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("isa", supported_isas())
def test_it_answers_as_onnx_runtime_does(cases: dict[str, Case], name: str, isa: str, tmp_path: Path) -> None:
    case, inputs = cases[name], cases[name].inputs(3, 17)
    lower(case.after.payload, tmp_path)
    got = Session(tmp_path, isa=isa).run(inputs)["output"]
    want = reference.run(case.after, inputs)["output"]
    # the dynamic form has a range per row here and one per tensor there; with 7 bits its steps are twice as wide
    bound = 0.05 if "static" in name else 0.1 if "7 bits" not in name else 0.15
    assert np.abs(got - want).max() < bound * np.abs(want).max()


@pytest.mark.skipif(not AVX2, reason="only AVX2 adds in 16 bits, and this CPU lacks it")
@pytest.mark.parametrize("name", PRODUCTS)
def test_sums_in_runs_are_those_of_every_other_kernel(cases: dict[str, Case], name: str, tmp_path: Path) -> None:
    """Bit for bit, on inputs far outside the calibration data too: the range is held to, not hoped for."""
    case = cases[name]
    lower(case.after.payload, tmp_path / "runs")
    lower(case.after.payload, tmp_path / "none", LowerOptions(runs=False))
    for inputs in (case.inputs(2, 12), case.inputs(5, 31)):
        with_runs, without = (Session(tmp_path / n, isa="avx2").run(inputs)["output"] for n in ("runs", "none"))
        np.testing.assert_array_equal(with_runs, without)


# What a Clip before a QuantizeLinear says

CLIPPED = """g (float[b, 12] x) => (float[b, 8] y)
    <float s = {{0.05}}, uint8 z = {{{zero}}}, float lo = {{{low}}}, float hi = {{{high}}}>
{{
    c = Clip({ends})
    q = QuantizeLinear(c, s, z)
    d = DequantizeLinear(q, s, z)
    wd = DequantizeLinear<axis = 1>(wq, ws, wz)
    y = MatMul(d, wd)
}}"""
RANDOM = np.random.default_rng(3)
WEIGHT = {
    "wq": RANDOM.integers(-63, 64, (12, 8)).astype(np.int8),
    "ws": RANDOM.uniform(0.01, 0.02, 8).astype(np.float32),
    "wz": np.zeros(8, np.int8),
}
X = normal(64, 12, spread=6.0)


@pytest.mark.parametrize(
    ("zero", "low", "high", "ends", "steps"),
    [
        (60, -3.0, 3.35, "x, lo, hi", (0, 127)),
        (100, -1.0, 2.0, "x, lo, hi", (80, 140)),
        (100, -1.0, 2.0, "x, lo", (80, 255)),
        (0, -1.0, 2.0, "x, , hi", (0, 40)),
        (0, -100.0, 100.0, "x, lo, hi", (0, 255)),
    ],
)
def test_a_clip_becomes_the_range_of_the_bytes(tmp_path, zero, low, high, ends, steps):
    text = CLIPPED.format(zero=zero, low=low, high=high, ends=ends)
    found = lowered(model_of(text, **WEIGHT), {"x": X}, tmp_path)
    assert found.kinds == ["gemm_int8", "quantize"]
    for said in (found.one("quantize").attributes, found.one("gemm_int8").attributes["input"]):
        assert (said["low"], said["high"]) == steps
    assert found.error < 1e-5


@pytest.mark.parametrize(("low", "high"), [(1.0, 2.0), (-2.0, -1.0)])
def test_a_clip_that_leaves_zero_out_stays(tmp_path, low, high):
    found = lowered(
        model_of(CLIPPED.format(zero=100, low=low, high=high, ends="x, lo, hi"), **WEIGHT), {"x": X}, tmp_path
    )
    assert found.kinds == ["Clip", "gemm_int8", "quantize"]
    assert found.one("gemm_int8").attributes["input"]["high"] == 255
    assert found.error < 1e-5


def test_a_clip_that_others_read_stays_for_them(tmp_path):
    text = CLIPPED.format(zero=60, low=-3.0, high=3.35, ends="x, lo, hi").replace(
        "float[b, 8] y)", "float[b, 8] y, float[b, 12] c)"
    )
    found = lowered(model_of(text, **WEIGHT), {"x": X}, tmp_path)
    assert found.kinds == ["Clip", "gemm_int8", "quantize"]
    assert found.one("gemm_int8").attributes["input"]["high"] == 127
    assert found.error < 1e-5


def test_signed_bytes_are_cut_as_well(tmp_path):
    text = CLIPPED.format(zero=-20, low=-3.0, high=3.0, ends="x, lo, hi").replace("uint8 z", "int8 z")
    found = lowered(model_of(text, **WEIGHT), {"x": X}, tmp_path)
    said = found.one("gemm_int8").attributes["input"]
    assert (said["zero"], said["low"], said["high"]) == (108, 48, 168)
    assert found.error < 1e-5


# What a file asks for at run time


def dynamic_file(folder: Path, levels: str | None) -> Path:
    text = """g (float[b, 12] x) => (float[b, 8] y) {
        q, s, z = DynamicQuantizeLinear(x)
        i = MatMulInteger(q, wq, z, wz)
        f = Cast<to = 1>(i)
        t = Mul(s, ws)
        y = Mul(f, t)
    }"""
    proto = model_of(text, opset=13, **WEIGHT)  # an old one: raising it must not lose what it says
    if levels is not None:
        proto.metadata_props.add(key="speedwell.row_levels", value=levels)
    onnx.save(proto, folder / "m.onnx")
    return folder / "m.onnx"


@pytest.mark.parametrize(
    ("said", "options", "rows"),
    [
        (None, LowerOptions(), 255), ("127", LowerOptions(), 127), ("255", LowerOptions(), 255),
        ("127", LowerOptions(row_levels=255), 255), (None, LowerOptions(row_levels=127), 127),
    ],
)  # fmt: skip
def test_rows_have_the_levels_that_were_asked_for(tmp_path, said, options, rows):
    found = lowered(dynamic_file(tmp_path, said), {"x": X}, tmp_path, options)
    assert found.one("gemm_int8").attributes["input"] == {"rows": rows}


@pytest.mark.parametrize("said", ["126", "", "1e2", "127\n", "٢٥٥"])
def test_levels_that_there_are_not_are_refused(tmp_path, said):
    with pytest.raises(EngineError, match="row_levels"):
        lower(dynamic_file(tmp_path, said), tmp_path / "plan")
