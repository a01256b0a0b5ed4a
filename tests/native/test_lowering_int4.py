"""Weights of 4 bits in blocks, as ONNX Runtime and as ONNX writes them, become our product."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from speedwell.core.errors import UnsupportedError
from speedwell.native import LowerOptions, Session, lower

from .lowered import Lowered, lowered, normal, read_plan

ROUNDED = 0.02
"""Relative: rows in bytes, where ONNX Runtime multiplies floats."""


def layer(
    name: str, k: int, n: int, block: int, asymmetric: bool = False, bias: bool = False, **attributes: object
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """A MatMulNBits of ``x`` that makes ``name``, and its weights."""
    rng = np.random.default_rng([k, n, block])
    groups = -(-k // block)
    held = {
        "w": rng.integers(0, 256, (n, groups, block // 2), dtype=np.uint8),
        "s": rng.uniform(0.01, 0.02, n * groups).astype(np.float32),
    }
    if asymmetric:
        held["z"] = rng.integers(0, 256, n * (-(-groups // 2)), dtype=np.uint8)
    if bias:
        held["b"] = rng.standard_normal(n).astype(np.float32)
    inputs = ["x", *(f"{name}.{key}" if key in held else "" for key in "wszob")]
    while not inputs[-1]:
        inputs.pop()
    all_of = {"K": k, "N": n, "bits": 4, "block_size": block} | attributes
    node = helper.make_node("MatMulNBits", inputs, [name], domain="com.microsoft", name=name, **all_of)
    return [node], [numpy_helper.from_array(array, f"{name}.{key}") for key, array in held.items()]


def model(nodes: list, weights: list, k: int, n: int, output: str = "y", opset: int = 21) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", "s", k])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["b", "s", n])], weights,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@pytest.mark.parametrize("block", [16, 32, 64, 128, 256])
@pytest.mark.parametrize("asymmetric", [False, True])
@pytest.mark.parametrize("k", [256, 96])
def test_a_product_of_onnx_runtime_is_ours(tmp_path: Path, block: int, asymmetric: bool, k: int) -> None:
    nodes, weights = layer("y", k, 24, block, asymmetric, bias=True)
    found = lowered(model(nodes, weights, k, 24), {"x": normal(2, 5, k)}, tmp_path)
    assert found.kinds == ["gemm_int4"]
    product = found.one("gemm_int4")
    assert product.attributes == {"depth": k, "group": block, "input": {"rows": 255}}
    assert len(product.inputs) == (6 if asymmetric else 4)
    assert found.error < ROUNDED


@pytest.mark.parametrize("opset", [17, 21])
def test_what_follows_it_goes_into_it_in_files_of_any_opset(tmp_path: Path, opset: int) -> None:
    nodes, weights = layer("p", 64, 64, 32)
    nodes += [
        helper.make_node(*one)
        for one in (("Add", ["p", "c"], ["t"]), ("Add", ["t", "x"], ["u"]), ("Relu", ["u"], ["y"]))
    ]
    weights.append(numpy_helper.from_array(normal(64), "c"))
    found = lowered(model(nodes, weights, 64, 64, opset=opset), {"x": normal(2, 5, 64)}, tmp_path)
    assert found.kinds == ["gemm_int4"]
    assert found.one("gemm_int4").attributes["activation"] == "relu"
    assert found.error < ROUNDED


def test_bytes_of_a_static_quantization_are_read_as_they_are(tmp_path: Path) -> None:
    nodes, weights = layer("p", 64, 24, 32)
    nodes[0].input[0] = "d"
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "qs", "qz"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "qs", "qz"], ["d"]),
        *nodes,
        helper.make_node("QuantizeLinear", ["p", "rs", "qz"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "rs", "qz"], ["y"]),
    ]
    ends = {"qs": np.float32(0.03), "qz": np.uint8(128), "rs": np.float32(0.05)}
    weights += [numpy_helper.from_array(np.asarray(array), name) for name, array in ends.items()]
    found = lowered(model(nodes, weights, 64, 24), {"x": normal(2, 5, 64)}, tmp_path)
    assert found.kinds == ["dequantize", "gemm_int4", "quantize"]
    assert found.one("gemm_int4").attributes["input"]["zero"] == 128
    assert found.one("gemm_int4").attributes["out"]["zero"] == 128
    assert found.error < ROUNDED


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("asymmetric", [False, True])
def test_a_dequantized_constant_of_4_bits_is_a_product(tmp_path: Path, signed: bool, asymmetric: bool) -> None:
    rng, kind = np.random.default_rng(3), TensorProto.INT4 if signed else TensorProto.UINT4
    low = -8 if signed else 0
    tensors = {"w": rng.integers(low, low + 16, (96, 24))}
    if asymmetric:
        tensors["z"] = rng.integers(low, low + 16, (3, 24))
    weights = [helper.make_tensor(name, kind, array.shape, array.reshape(-1)) for name, array in tensors.items()]
    weights.append(numpy_helper.from_array(rng.uniform(0.01, 0.02, (3, 24)).astype(np.float32), "s"))
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", *["z"] * asymmetric], ["d"], axis=0, block_size=32),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    found = lowered(model(nodes, weights, 96, 24), {"x": normal(2, 5, 96)}, tmp_path)
    assert found.kinds == ["gemm_int4"]
    assert found.error < ROUNDED


def test_rows_of_7_bits_where_they_are_asked_for(tmp_path: Path) -> None:
    nodes, weights = layer("y", 64, 24, 32)
    found = lowered(model(nodes, weights, 64, 24), {"x": normal(2, 5, 64)}, tmp_path, LowerOptions(row_levels=127))
    assert found.one("gemm_int4").attributes["input"] == {"rows": 127}
    assert found.error < 2 * ROUNDED


def test_one_number_a_column_goes_into_the_scales(tmp_path: Path) -> None:
    nodes, weights = layer("p", 64, 24, 32, asymmetric=True, bias=True)
    nodes.append(helper.make_node("Mul", ["p", "c"], ["y"]))
    weights.append(numpy_helper.from_array(normal(24), "c"))
    found = lowered(model(nodes, weights, 64, 24), {"x": normal(2, 5, 64)}, tmp_path)
    assert found.kinds == ["gemm_int4"]
    assert found.error < ROUNDED


def attention_of(tmp_path: Path, blocks: tuple[int, int, int]) -> Lowered:
    """Two heads over queries, keys and values, the keys' weight with zero points."""
    nodes, weights = [], []
    for name, block in zip("qkv", blocks, strict=True):
        more = layer(name, 32, 32, block, asymmetric=name == "k", bias=name == "v")
        nodes += more[0]
        weights += more[1]
    turns = {"q": [0, 2, 1, 3], "k": [0, 2, 3, 1], "v": [0, 2, 1, 3]}
    for name, perm in turns.items():
        nodes.append(helper.make_node("Reshape", [name, "heads"], [f"{name}h"]))
        nodes.append(helper.make_node("Transpose", [f"{name}h"], [f"{name}t"], perm=perm))
    nodes += [
        helper.make_node("MatMul", ["qt", "kt"], ["scores"]),
        helper.make_node("Mul", ["scores", "quarter"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["p"], axis=-1),
        helper.make_node("MatMul", ["p", "vt"], ["mixed"]),
        helper.make_node("Transpose", ["mixed"], ["back"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["back", "flat"], ["y"]),
    ]
    fixed = {"heads": np.array([0, 0, 2, 16]), "flat": np.array([0, 0, 32]), "quarter": np.float32(0.25)}
    weights += [numpy_helper.from_array(np.asarray(array), name) for name, array in fixed.items()]
    return lowered(model(nodes, weights, 32, 32), {"x": normal(2, 5, 32)}, tmp_path)


def test_queries_keys_and_values_of_one_block_size_are_one_product(tmp_path: Path) -> None:
    found = attention_of(tmp_path, (16, 16, 16))
    assert found.kinds == ["attention", "gemm_int4"]
    assert found.error < 2 * ROUNDED


def test_those_of_another_block_size_stay_apart(tmp_path: Path) -> None:
    found = attention_of(tmp_path, (16, 32, 16))
    assert found.kinds == ["attention", "gemm_int4", "gemm_int4"]
    assert found.error < 2 * ROUNDED


@pytest.mark.parametrize(
    "attributes", [{"bits": 8}, {"block_size": 512}, {"K": 65}, {"N": 25}, {"K": 0}, {"N": -24}, {"block_size": 0}]
)
def test_what_is_not_of_this_form_is_named(tmp_path: Path, attributes: dict[str, int]) -> None:
    nodes, weights = layer("y", 64, 24, 32, **attributes)
    path = tmp_path / "model.onnx"
    onnx.save(model(nodes, weights, 64, 24), path)
    with pytest.raises(UnsupportedError, match=r"unsupported: MatMulNBits"):
        lower(path, tmp_path / "plan")


def test_weights_that_come_as_an_input_are_named(tmp_path: Path) -> None:
    nodes, weights = layer("y", 64, 24, 32)
    proto = model(nodes, weights[1:], 64, 24)
    proto.graph.input.append(helper.make_tensor_value_info("y.w", TensorProto.UINT8, [24, 2, 16]))
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    with pytest.raises(UnsupportedError, match=r"unsupported: MatMulNBits"):
        lower(path, tmp_path / "plan")


def test_the_plan_keeps_half_a_byte_for_a_weight(tmp_path: Path) -> None:
    nodes, weights = layer("y", 256, 64, 128)
    path = tmp_path / "model.onnx"
    onnx.save(model(nodes, weights, 256, 64), path)
    facts = lower(path, tmp_path / "plan")
    assert facts.weight_bytes == 256 * 64 // 2 + 4 * 64 * 2
    assert read_plan(tmp_path / "plan").operators[0].kind == "gemm_int4"
    assert Session(tmp_path / "plan").run([normal(1, 1, 256)])[0].shape == (1, 1, 64)
