from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from speedwell.sources.onnx_normal import OLDEST, inline_functions, name_dimensions, scrub, upgrade


def shapes(values):
    return [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values]


def identity(inputs, outputs):
    nodes = [helper.make_node("Identity", [i.name], [o.name]) for i, o in zip(inputs, outputs, strict=True)]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs))


def tensor(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.mark.parametrize("first", [None, "N", "batch_size", -1, 0])
def test_dimension_0_becomes_batch_however_it_was_written(first):
    model = identity([tensor("x", 1, [first, 4])], [tensor("y", 1, [first, 4])])
    name_dimensions(model)
    assert shapes([*model.graph.input, *model.graph.output]) == [["batch", 4], ["batch", 4]]


def test_a_fixed_batch_stays_fixed():
    model = identity([tensor("x", 1, [1, 4])], [tensor("y", 1, [1, 4])])
    name_dimensions(model)
    assert shapes([*model.graph.input, *model.graph.output]) == [[1, 4], [1, 4]]


def test_texts_get_sequence_and_images_height_and_width():
    ids = [tensor("ids", TensorProto.INT64, ["N", "L"]), tensor("mask", TensorProto.INT64, [None, None])]
    image = [tensor("image", 1, [None, 3, None, None]), tensor("last", 1, [None, "h", "w", 3])]
    outs = [tensor("a", 7, ["N", "L"]), tensor("b", 7, [None, None]), tensor("c", 1, [None, 3, None, None]),
            tensor("d", 1, ["other", "h", "w", 3])]  # fmt: skip
    model = identity(ids + image, outs)
    name_dimensions(model)
    assert shapes(model.graph.input) == [
        ["batch", "sequence"], ["batch", "sequence"], ["batch", 3, "height", "width"], ["batch", "h", "w", 3],
    ]  # fmt: skip
    assert shapes(model.graph.output)[0] == ["batch", "sequence"]
    assert shapes(model.graph.output)[1] == ["batch", "b_1"]
    assert shapes(model.graph.output)[3][0] == "batch"


def test_weights_listed_as_inputs_are_inputs_no_more(small_onnx):
    model = small_onnx(opset=9, ir=3)
    model.graph.input.append(tensor("w", 1, [4, 2]))
    name_dimensions(model)
    assert [v.name for v in model.graph.input] == ["x"]
    assert model.ir_version >= 4
    onnx.checker.check_model(model)


def test_an_old_opset_is_upgraded_and_answers_the_same(small_onnx):
    model = small_onnx(opset=9)
    name_dimensions(model)
    newer, note = upgrade(model)
    assert newer.opset_import[0].version == OLDEST
    assert "became" in note
    assert upgrade(small_onnx(opset=17))[1] == ""


def test_an_opset_that_cannot_be_upgraded_is_kept_with_the_reason(small_onnx):
    model = small_onnx(opset=9)
    name_dimensions(model)
    model.graph.node.append(helper.make_node("Upsample", ["y", "nothing"], ["z"]))
    kept, note = upgrade(model)
    assert kept is model
    assert note.startswith("kept opset 9: ")


def test_functions_are_inlined(small_onnx):
    model = small_onnx()
    function = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.graph.node[2].op_type, model.graph.node[2].domain = "Twice", "mine"
    flat = inline_functions(model)
    assert not flat.functions
    assert {n.op_type for n in flat.graph.node} == {"MatMul", "Add"}


def test_nothing_that_an_exporter_wrote_down_is_left(small_onnx):
    model = small_onnx()
    secret = "/home/ada/project/net.py"
    for item in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.initializer):
        item.doc_string = secret
        item.metadata_props.add(key="stack_trace", value=secret)
    model.graph.name = secret
    inner = helper.make_graph([helper.make_node("Identity", ["y"], ["t"], doc_string=secret)], secret, [],
                              [tensor("t", 1, [2])])  # fmt: skip
    model.graph.node.append(helper.make_node("If", ["y"], ["z"], then_branch=inner, else_branch=inner))
    scrub(model)
    assert secret.encode() not in model.SerializeToString()
    assert np.array(model.graph.initializer[0].dims).tolist() == [4, 2]
