"""Whole small networks, float and quantized by our own passes: what they become, and that they answer alike."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from speedwell.core.errors import EngineError, UnsupportedError, UsageError
from speedwell.native import LowerOptions, lower
from speedwell.passes import Fuse, QuantizeDynamic, QuantizeStatic, reference
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import Case, case_of

from .lowered import BUILT, lowered, model_of, normal, read_plan

BY_NAME = {n.name: n for n in NETWORKS}
PASSES = {
    "fuse": Fuse(),
    "static": QuantizeStatic(),
    "dynamic": QuantizeDynamic(),
    "7 bits": QuantizeStatic(weight_bits=7),
}


@pytest.fixture(scope="module", params=[(n, p) for n in ("bert", "vit") for p in PASSES], ids="-".join)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Case]:
    network, name = request.param
    made = case_of(PASSES[name], BY_NAME[network], tmp_path_factory.mktemp("case"))
    reference.forget()
    return name, made


def test_a_network_of_ours_becomes_few_large_operators(case: tuple[str, Case], tmp_path: Path) -> None:
    name, made = case
    kinds = lower(made.after.payload, tmp_path).operators
    layers = 2 if made.network.name == "bert" else 1
    product = "gemm_float" if name == "fuse" else "gemm_int8"
    assert kinds["attention"] == layers
    assert kinds["layer_norm"] == 2 * layers + (made.network.name == "bert")
    # a layer's: the three projections together, the output, two in the network behind; one more at the end
    patches = made.network.name == "vit" and name != "dynamic"
    assert kinds[product] == 4 * layers + 1 + patches
    assert not {"MatMul", "Softmax", "LayerNormalization", "Gelu", "Gemm", "Conv"} & set(kinds)


def test_attention_multiplies_in_int8_only_between_integer_products(case: tuple[str, Case], tmp_path: Path) -> None:
    name, made = case

    def said(options: LowerOptions) -> set[str]:
        lower(made.after.payload, tmp_path / options.attention, options)
        plan = read_plan(tmp_path / options.attention)
        return {o.attributes.get("precision", "float32") for o in plan.operators if o.kind == "attention"}

    integers = name != "fuse"
    assert said(LowerOptions()) == {"fastest" if integers else "float32"}
    assert said(LowerOptions(attention="int8")) == {"int8" if integers else "float32"}
    assert said(LowerOptions(attention="float32")) == {"float32"}


def test_int8_attention_answers_as_onnx_runtime_does(case: tuple[str, Case], tmp_path: Path) -> None:
    name, made = case
    found = lowered(made.after.payload, made.inputs(2, 31), tmp_path, LowerOptions(attention="int8"))
    assert found.error < {"fuse": 1e-5, "dynamic": 0.1}.get(name, 0.05)


def test_an_attention_precision_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="int4"):
        LowerOptions(attention="int4")


@pytest.mark.parametrize(("batch", "sequence"), [(1, 1), (2, 12), (3, 31)])
def test_it_answers_as_onnx_runtime_does(case: tuple[str, Case], batch: int, sequence: int, tmp_path: Path) -> None:
    name, made = case
    found = lowered(made.after.payload, made.inputs(batch, sequence), tmp_path)
    # A step of an activation that rounds the other way changes what follows; rows have a range of their own.
    assert found.error < {"fuse": 1e-5, "dynamic": 0.1}.get(name, 0.05)


def test_seven_bit_weights_have_runs(case: tuple[str, Case], tmp_path: Path) -> None:
    name, made = case
    found = lowered(made.after.payload, made.inputs(), tmp_path)
    runs = [o for o in found.plan.operators if o.kind == "gemm_int8" and len(o.inputs) == 7]
    assert bool(runs) == (name == "7 bits")
    without = lowered(made.after.payload, made.inputs(), tmp_path / "without", LowerOptions(runs=False))
    assert all(len(o.inputs) < 7 for o in without.plan.operators)


def test_lowering_twice_gives_the_same_bytes(case: tuple[str, Case], tmp_path: Path) -> None:
    _, made = case
    for place in ("one", "two"):
        lower(made.after.payload, tmp_path / place)
    for file in ("plan.json", "weights.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_network_of_many_layers_is_lowered_in_seconds(tmp_path: Path) -> None:
    layer = "p{i} = MatMul(x{i}, w) a{i} = Add(p{i}, c) g{i} = Gelu(a{i}) r{i} = Add(g{i}, x{i}) "
    layer += "x{j} = LayerNormalization(r{i}, s)"
    body = " ".join(layer.format(i=i, j=i + 1) for i in range(300))
    graph = f"g (float[b, s, 16] x0) => (float[b, s, 16] y) {{ {body} y = Identity(x300) }}"
    proto = model_of(graph, w=normal(16, 16), c=normal(16), s=np.ones(16, np.float32))
    onnx.save(proto, tmp_path / "deep.onnx")
    start = time.perf_counter()
    facts = lower(tmp_path / "deep.onnx", tmp_path)
    assert facts.operators == {"gemm_float": 300, "layer_norm": 300}
    assert time.perf_counter() - start < 60  # some seconds on an idle machine


# What no plan can say


def unsupported(tmp_path: Path, graph: str, opset: int = 20, **weights: np.ndarray) -> str:
    onnx.save(model_of(graph, opset, **weights), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError) as caught:
        lower(tmp_path / "m.onnx", tmp_path / "plan")
    assert not (tmp_path / "plan").exists()
    return caught.value.what


def test_control_flow_is_named(tmp_path: Path) -> None:
    graph = """g (bool c, float[2] x) => (float[2] y) {
        y = If (c) <
            then_branch = a () => (float[2] p) { p = Neg(x) }, else_branch = b () => (float[2] q) { q = Abs(x) }
        >
    }"""
    assert unsupported(tmp_path, graph) == "unsupported: If"


def test_element_types_are_named(tmp_path: Path) -> None:
    graph = "g (float[2] x) => (double[2] y) { d = Cast<to = 11>(x) y = Sqrt(d) }"
    assert unsupported(tmp_path, graph) == "unsupported: Cast (float64), Sqrt (float64)"


def test_inputs_of_other_types_are_named(tmp_path: Path) -> None:
    graph = "g (float16[2] x) => (float[2] y) { y = Cast<to = 1>(x) }"
    assert unsupported(tmp_path, graph) == "unsupported: Cast (float16), input x (float16)"


def test_float16_weights_are_carried_as_floats(tmp_path: Path) -> None:
    graph = "g (float[b, 4] x) => (float[b, 4] y) { f = Cast<to = 1>(w) y = MatMul(x, f) }"
    found = lowered(model_of(graph, w=normal(4, 4).astype(np.float16)), {"x": normal(2, 4)}, tmp_path)
    assert found.kinds == ["gemm_float"]
    assert found.error < 1e-6


def test_sequences_are_named(tmp_path: Path) -> None:
    graph = "g (float[2] x) => (float[4] y) { s = SequenceConstruct(x, x) y = ConcatFromSequence<axis = 0>(s) }"
    what = unsupported(tmp_path, graph)
    assert what.startswith("unsupported: ConcatFromSequence")
    assert "SequenceConstruct" in what


@pytest.mark.skipif(not BUILT, reason="without the executor nobody knows its operators")
def test_operators_that_the_executor_lacks_are_named_together(tmp_path: Path) -> None:
    graph = "g (float[1, 1, 4, 4] x) => (float[1, 1, 4, 4] y) { d = Det(x) l = LpNormalization(x) y = Add(l, d) }"
    assert unsupported(tmp_path, graph) == "unsupported: Det, LpNormalization"


def test_other_domains_are_named(tmp_path: Path) -> None:
    node = onnx.helper.make_node("FastGelu", ["x"], ["y"], domain="com.microsoft")
    info = [onnx.helper.make_tensor_value_info(n, 1, [2]) for n in "xy"]
    graph = onnx.helper.make_graph([node], "g", info[:1], info[1:])
    ids = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=ids, ir_version=9), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError, match=r"^unsupported: com\.microsoft\.FastGelu$"):
        lower(tmp_path / "m.onnx", tmp_path)


def test_a_file_that_is_no_model_says_so(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no model at all")
    with pytest.raises(EngineError, match=r"m\.onnx"):
        lower(tmp_path / "m.onnx", tmp_path)
    with pytest.raises(EngineError, match=r"missing\.onnx"):
        lower(tmp_path / "missing.onnx", tmp_path)


# How files differ


def test_an_old_opset_is_raised(tmp_path: Path) -> None:
    body = "u = Unsqueeze<axes = [1]>(x) s = Squeeze<axes = [1]>(u) y = Softmax<axis = 2>(s)"
    graph = f"g (float[b, s, 4] x) => (float[b, s, 4] y) {{ {body} }}"
    found = lowered(model_of(graph, 11), {"x": normal(2, 3, 4)}, tmp_path)
    assert found.kinds == ["Softmax"]
    assert found.error < 1e-6


def test_a_newer_opset_than_any_known_is_refused(tmp_path: Path) -> None:
    proto = model_of("g (float[2] x) => (float[2] y) { y = Neg(x) }")
    proto.opset_import[0].version = 99
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError, match="unsupported: opset 99"):
        lower(tmp_path / "m.onnx", tmp_path)


def test_local_functions_are_inlined(tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(
        """<ir_version: 9, opset_import: ["" : 20, "mine" : 1]>
        g (float[b, 4] x) => (float[b, 4] y) { y = mine.twice(x) }
        <domain: "mine", opset_import: ["" : 20]>
        twice (a) => (b) { c = Add(a, a) b = Tanh(c) }"""
    )
    found = lowered(proto, {"x": normal(2, 4)}, tmp_path)
    assert found.kinds == ["Add", "Tanh"]
    assert found.error < 1e-6


def test_weights_may_lie_beside_the_file(tmp_path: Path) -> None:
    proto = model_of("g (float[b, 64] x) => (float[b, 64] y) { y = MatMul(x, w) }", w=normal(64, 64))
    path = tmp_path / "m.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="m.data", size_threshold=0)
    assert lowered(path, {"x": normal(2, 64)}, tmp_path).error < 1e-5


def test_initializers_may_be_declared_as_inputs(tmp_path: Path) -> None:
    proto = model_of("g (float[b, 64] x, float[64, 64] w) => (float[b, 64] y) { y = MatMul(x, w) }", w=normal(64, 64))
    found = lowered(proto, {"x": normal(2, 64)}, tmp_path)
    assert [i.name for i in found.plan.inputs] == ["x"]
    assert found.error < 1e-5


def test_outputs_may_be_inputs_constants_or_one_another(tmp_path: Path) -> None:
    graph = """g (float[b, 4] x) => (float[b, 4] a, float[4] c, float[b, 4] d, float[b, 4] e) {
        a = Identity(x) c = Identity(w) d = Tanh(x) e = Identity(d)
    }"""
    found = lowered(model_of(graph, w=normal(4)), {"x": normal(2, 4)}, tmp_path)
    assert [o.name for o in found.plan.outputs] == ["a", "c", "d", "e"]
    assert found.error < 1e-6


def test_free_sizes_keep_their_names_and_those_without_get_one(tmp_path: Path) -> None:
    proto = model_of("g (float[batch, ?, 3] x) => (float[batch, ?, 3] y) { y = Neg(x) }")
    onnx.save(proto, tmp_path / "m.onnx")
    found = lowered(tmp_path / "m.onnx", {"x": normal(2, 5, 3)}, tmp_path)
    (spec,) = found.plan.inputs
    assert spec.shape == ("batch", "x.1", 3)
    assert spec.dtype == "float32"


def test_what_the_file_says_of_its_inner_shapes_is_not_believed(tmp_path: Path) -> None:
    proto = model_of(
        "g (float[b, 4] x, float[b, 4] r) => (float[b, 4] y) { p = MatMul(x, w) y = Add(p, r) }", w=normal(4, 4)
    )
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("p", 1, [1, 4]))
    found = lowered(proto, {"x": normal(2, 4), "r": normal(2, 4)}, tmp_path)
    assert found.kinds == ["gemm_float"]
    assert found.error < 1e-6
