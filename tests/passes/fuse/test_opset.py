from __future__ import annotations

import onnx
import onnx_ir as ir

from speedwell.passes.fuse.opset import TARGET, raised
from speedwell.passes.graph import opset


def test_an_old_graph_is_raised(model_of):
    proto = model_of("g (float[N,4] x) => (float[N,1] y) { y = ReduceMean <axes = [-1]> (x) }", 13)
    model = raised(ir.serde.deserialize_model(proto))
    assert opset(model) == TARGET
    onnx.checker.check_model(ir.serde.serialize_model(model), full_check=True)


def test_a_graph_that_cannot_be_raised_is_given_back(model_of):
    proto = model_of("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }", 13)
    proto.graph.node[0].op_type = "NotAnOperator"
    model = ir.serde.deserialize_model(proto)
    assert raised(model) is model


def test_a_newer_graph_stays(model_of):
    model = ir.serde.deserialize_model(model_of("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }", TARGET + 1))
    assert raised(model) is model
