from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from speedwell.core import Signature, TensorSpec
from speedwell.core.errors import UnsupportedModelError
from speedwell.sources.onnx_facts import hints_of, refuse_custom, signature_of, traits_of

PATH = Path("model.onnx")


def with_nodes(model, *kinds):
    for i, kind in enumerate(kinds):
        domain, _, op = kind.rpartition("::")
        model.graph.node.append(helper.make_node(op, ["y"], [f"o{i}"], domain=domain))
    return model


@pytest.mark.parametrize(
    ("kinds", "traits"),
    [
        ((), {"float"}),
        (("QuantizeLinear", "DequantizeLinear"), {"static-int8"}),
        (("QLinearConv",), {"static-int8"}),
        (("QuantizeLinear", "MatMulInteger"), {"static-int8"}),
        (("DynamicQuantizeLinear", "MatMulInteger"), {"dynamic-int8"}),
        (("ConvInteger",), {"dynamic-int8"}),
        (("DequantizeLinear",), {"static-int8"}),
        (("com.microsoft::MatMulNBits",), {"w4"}),
    ],
)
def test_quantized_graphs_are_known_as_such(small_onnx, kinds, traits):
    assert traits_of(with_nodes(small_onnx(), *kinds)) == traits


def test_half_weights_are_known_as_such(small_onnx):
    model = small_onnx()
    model.graph.initializer.append(numpy_helper.from_array(np.ones(100, np.float16), "h"))
    assert traits_of(model) == {"f16"}


def test_custom_operators_are_named(small_onnx):
    model = with_nodes(small_onnx(), "acme::Warp", "acme::Bend", "com.microsoft::Gelu")
    with pytest.raises(UnsupportedModelError, match="acme::Bend, acme::Warp"):
        refuse_custom(model, PATH)


def test_a_custom_operator_inside_a_branch_is_found(small_onnx):
    inner = helper.make_graph([helper.make_node("Evil", [], ["t"], domain="acme")], "i", [], [])
    model = small_onnx()
    model.graph.node.append(helper.make_node("If", ["y"], ["z"], then_branch=inner, else_branch=inner))
    with pytest.raises(UnsupportedModelError, match="acme::Evil"):
        refuse_custom(model, PATH)


def test_strings_and_maps_are_refused_with_the_way_out(small_onnx):
    model = small_onnx()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    with pytest.raises(UnsupportedModelError, match="strings"):
        signature_of(model, PATH)
    model = small_onnx()
    model.graph.output[0].type.sequence_type.elem_type.tensor_type.elem_type = 1
    with pytest.raises(UnsupportedModelError, match="zipmap"):
        signature_of(model, PATH)


def hints(model, *shape, dtype="float32"):
    return hints_of(model, Signature((TensorSpec("x", dtype, shape),), ()))


def test_an_image_input_hints_size_and_layout(small_onnx):
    model = small_onnx()
    assert hints(model, "batch", 3, 224, 192)["image"] == {
        "layout": "nchw", "colour": "rgb", "dtype": "float32", "size": [224, 192],
    }  # fmt: skip
    assert hints(model, "batch", 28, 28, 1)["image"]["layout"] == "nhwc"
    assert hints(model, "batch", 28, 28, 1)["image"]["colour"] == "gray"
    assert "size" not in hints(model, "batch", 3, "height", "width")["image"]
    assert hints(model, 1, 3, 8, 8, dtype="uint8")["image"]["scale"] == 1.0
    assert hints(model, "batch", 12, 64, 64) == {}
    assert hints(model, "batch", 10) == {}


@pytest.mark.parametrize(
    ("key", "text"),
    [("names", "{0: 'cat', 1: 'dog'}"), ("classes", '["cat", "dog"]'), ("id2label", '{"1": "dog", "0": "cat"}'),
     ("labels", "cat, dog"), ("class_names", "('cat', 'dog')")],
)  # fmt: skip
def test_class_names_are_read_from_the_metadata(small_onnx, key, text):
    model = small_onnx()
    model.metadata_props.add(key=key, value=text)
    assert hints(model, "batch", 4)["classes"] == ["cat", "dog"]


@pytest.mark.parametrize("text", ["", "cat", "__import__('os')", "(" * 5000, "{'a': [}", "[[1], [2]]", "{}", "3"])
def test_metadata_that_is_no_list_of_names_is_left_alone(small_onnx, text):
    model = small_onnx()
    model.metadata_props.add(key="classes", value=text)
    assert "classes" not in hints(model, "batch", 4)
