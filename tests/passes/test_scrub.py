from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from speedwell.passes.scrub import scrub

SECRET = "/home/somebody/work/model.py"


def test_no_word_of_where_it_was_made_is_left(model_of):
    proto = model_of("g (float[2] x) => (float[2] y) { h = Add (x, w) y = Relu (h) }", w=np.ones(2, np.float32))
    proto.doc_string = proto.graph.doc_string = proto.graph.node[0].doc_string = SECRET
    proto.graph.input[0].doc_string = proto.graph.output[0].doc_string = proto.graph.initializer[0].doc_string = SECRET
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("h", 1, [2], SECRET))
    for holder in (proto, proto.graph, proto.graph.node[1], proto.graph.input[0], proto.graph.value_info[0]):
        entry = holder.metadata_props.add()
        entry.key, entry.value = "stack", SECRET
    assert SECRET.encode() in proto.SerializeToString()
    model = ir.serde.deserialize_model(proto)
    scrub(model)
    after = ir.serde.serialize_model(model)
    assert b"somebody" not in after.SerializeToString()
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(after.graph.initializer[0]), np.ones(2))
