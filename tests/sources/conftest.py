from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

NETWORK = """
import torch

class Net(torch.nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.head = torch.nn.Linear(4, classes)

    def forward(self, image):
        return self.head(torch.relu(self.norm(self.conv(image))).mean((2, 3)))

def build():
    torch.manual_seed(0)
    return Net()
"""


@pytest.fixture
def write_code(tmp_path: Path) -> Callable[..., Path]:
    """``write_code("more code", name="net.py")``: the small CNN's file with more code after it."""

    def write(more: str = "", name: str = "net.py", base: str = NETWORK) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(base + textwrap.dedent(more))
        return path

    return write


def classifier(opset: int = 17, batch: object = "N", ir: int = 8) -> onnx.ModelProto:
    """float32 [batch, 4] to [batch, 2]: x @ w + b, then Relu."""
    weight = np.arange(8, dtype=np.float32).reshape(4, 2)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="first"),
        helper.make_node("Add", ["h", "b"], ["s"], name="second"),
        helper.make_node("Relu", ["s"], ["y"], name="third"),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 2])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.ones(2, np.float32), "b")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="test")
    model.ir_version = ir
    return model


@pytest.fixture
def small_onnx() -> Callable[..., onnx.ModelProto]:
    return classifier


@pytest.fixture
def external_onnx(tmp_path: Path) -> Callable[..., Path]:
    """A model whose weight "w" lies outside the file, under any entries one likes. Returns the model's path."""

    def make(location: str = "w.bin", folder: str = "model", data: bytes | None = None, **entries: str) -> Path:
        model = classifier()
        tensor = model.graph.initializer[0]
        raw = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=value)
        path = tmp_path / folder / "model.onnx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(model.SerializeToString())
        (path.parent / "w.bin").write_bytes(raw if data is None else data)
        return path

    return make
