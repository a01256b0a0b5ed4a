from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from speedwell.core import Model, Origin, Signature
from speedwell.passes import graph


def opened(proto):
    model = ir.serde.deserialize_model(proto)
    graph.name_nodes(model)
    return model


def test_nodes_get_unique_names(model_of):
    proto = model_of("g (float[5] x) => (float[5] y) { h = Relu (x) k = Relu (h) y = Relu (k) }")
    for node in proto.graph.node[:2]:
        node.name = "same"
    names = [n.name for n in opened(proto).graph]
    assert len(set(names)) == 3
    assert all(names)


def test_constants_are_read_from_weights_and_nodes_and_never_from_inputs(model_of):
    proto = model_of("g (float[2] x) => (float[2] y) { c = Constant <value_float = 2.0> ()"
                     "h = Add (x, w) y = Mul (h, c) }",
                     w=np.array([1, 2], np.float32))  # fmt: skip
    add, mul = [n for n in opened(proto).graph if n.op_type != "Constant"]
    assert graph.constant(add.inputs[0]) is None
    np.testing.assert_array_equal(graph.constant(add.inputs[1]), [1, 2])
    assert graph.scalar(mul.inputs[1]) == 2
    assert graph.scalar(add.inputs[1]) is None


def test_a_weight_keeps_rank_zero_and_takes_a_free_name(model_of):
    model = opened(model_of("g (float[2] x) => (float[2] y) { y = Add (x, w) }", w=np.float32(1)))
    made = graph.initializer(model, "w", np.asarray(np.float32(3)))
    assert (made.name, tuple(made.shape)) == ("w_1", ())


def test_replacing_an_output_keeps_its_name(model_of):
    model = opened(model_of("g (float[2] x) => (float[2] y) { h = Relu (x) y = Neg (h) }"))
    neg = model.graph.node(1)
    new = graph.insert_before(neg, "Abs", [neg.inputs[0]], name="abs")
    graph.replace_output(neg.outputs[0], new)
    model.graph.remove(neg)
    proto = ir.serde.serialize_model(model)
    onnx.checker.check_model(proto, full_check=True)
    assert [n.op_type for n in proto.graph.node] == ["Relu", "Abs"]
    assert proto.graph.output[0].name == "y"


def test_save_drops_what_no_output_needs_and_changes_traits(model_of, tmp_path):
    onnx.save(model_of("g (float[2] x) => (float[2] y) { h = Neg (x) y = Relu (x) }"), tmp_path / "in.onnx")
    before = Model.of("onnx", tmp_path / "in.onnx", Signature((), ()), Origin("onnx", "in"))
    after = graph.save(graph.load(before.payload), before, tmp_path / "out", "p", add=("fused",), drop=("float",))
    assert after.traits == {"fused"}
    assert [n.op_type for n in onnx.load(after.payload).graph.node] == ["Relu"]


def test_large_weights_go_into_one_file_beside_it_and_count(model_of, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "ONE_FILE_BYTES", 1000)
    weight = np.ones((50, 50), np.float32)
    onnx.save(model_of("g (float[N,50] x) => (float[N,50] y) { y = MatMul (x, w) }", w=weight), tmp_path / "in.onnx")
    before = Model.of("onnx", tmp_path / "in.onnx", Signature((), ()), Origin("onnx", "in"))
    after = graph.save(graph.load(before.payload), before, tmp_path, "p", add=(), drop=())
    assert {p.name for p in tmp_path.iterdir()} == {"in.onnx", "p.onnx", "p.onnx.data"}
    assert after.size_bytes > weight.nbytes
    again = graph.load(after.payload)
    (tmp_path / "p.onnx.data").unlink()
    np.testing.assert_array_equal(graph.constant(again.graph.node(0).inputs[1]), weight)


def test_only_use_is_none_for_outputs_and_for_several_readers(model_of):
    model = opened(model_of("g (float[2] x) => (float[2] y, float[2] z) { y = Relu (x) h = Neg (y) z = Add (h, h) }"))
    relu, neg, _ = list(model.graph)
    assert graph.only_use(relu.outputs[0]) is None
    assert graph.only_use(neg.outputs[0]) is None
