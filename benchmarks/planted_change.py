"""The planted network, and the plug-in pass that plants a change of known size into it.

This file is packed into a wheel by ``planted.py``, so it stands alone. The network reads an image of 2 x 11 grey pixels
(values 0..255): ten of evidence (the answer is the largest), ten that mark an alternative class, and two that hold a
code from 0 to 49,999. The changed network answers the alternative wherever the code lies in a window: a flip that
depends on the content alone, and whose share of the population is the windows' width, exactly.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from speedwell.core import Context, Hardware, Kind, Model, Pass, Step

__all__ = ["CLASSES", "CODES", "LOW_CODES", "PIXELS", "PlantedChange", "write_network"]

CLASSES = 10
LOW_CODES = 250
CODES = 200 * LOW_CODES
PIXELS = 2 * CLASSES + 2
VARIABLE = "SPEEDWELL_PLANTED"
"""Names the windows, half open: "2480-2730,44371-45121"."""


@dataclass(frozen=True)
class PlantedChange(Pass):
    """Lossy: answers change where the code is in a window. It also drops the ballast, and so makes the network fast."""

    windows: str = ""

    name: ClassVar[str] = "planted"
    takes: ClassVar[Kind] = Kind("onnx", needs=frozenset({"float"}))
    gives: ClassVar[Kind] = Kind("onnx", needs=frozenset({"float"}))
    lossless: ClassVar[bool] = False

    @classmethod
    def choices(cls, model: Model, hardware: Hardware) -> tuple[Step, ...]:  # noqa: ARG003 - the contract
        windows = os.environ.get(VARIABLE)
        return (Step(cls.name, {"windows": windows}),) if windows else ()

    def apply(self, model: Model, context: Context) -> Model:
        context.scratch.mkdir(parents=True, exist_ok=True)
        windows = [tuple(map(int, w.split("-"))) for w in self.windows.split(",")]
        path = write_network(context.scratch / "planted.onnx", *zip(*windows, strict=True))
        return Model.of("onnx", path, model.signature, model.origin, model.traits)


def write_network(path: Path, starts: Sequence[int] = (), ends: Sequence[int] = (), ballast: int = 0) -> Path:
    """The original (no windows), or one that answers the alternative for codes in [start, end).

    ``ballast``: width of three square layers whose result is multiplied by zeros and added: time, and nothing else.
    """
    import numpy as np
    from onnx import TensorProto, checker, helper, numpy_helper, save_model

    constants: dict[str, Any] = {
        "flat_shape": np.array([0, PIXELS], np.int64),
        "evidence": _columns(range(CLASSES)),
        "alternative": _columns(range(CLASSES, 2 * CLASSES)) / np.float32(255),
        "code": np.zeros((PIXELS, 1), np.float32),
    }
    constants["code"][-2:, 0] = LOW_CODES, 1
    nodes = [
        helper.make_node("Reshape", ["image", "flat_shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "evidence"], ["answer"]),
    ]
    last = "answer"
    if len(starts):
        constants["starts"] = np.array([starts], np.float32)
        constants["ends"] = np.array([ends], np.float32)
        constants["one"] = np.array(1, np.float32)
        constants["axis"] = np.array([1], np.int64)
        nodes += [
            helper.make_node("MatMul", ["flat", "code"], ["value"]),
            helper.make_node("GreaterOrEqual", ["value", "starts"], ["from"]),
            helper.make_node("Less", ["value", "ends"], ["until"]),
            helper.make_node("And", ["from", "until"], ["inside"]),
            helper.make_node("Cast", ["inside"], ["each"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["each", "axis"], ["flip"], keepdims=1),
            helper.make_node("MatMul", ["flat", "alternative"], ["other"]),
            # just enough to overtake: the largest evidence plus one, on top of what the class has
            helper.make_node("ReduceMax", ["answer", "axis"], ["top"], keepdims=1),
            helper.make_node("Add", ["top", "one"], ["over"]),
            helper.make_node("Mul", ["other", "over"], ["boost"]),
            helper.make_node("Mul", ["boost", "flip"], ["change"]),
            helper.make_node("Add", ["answer", "change"], ["changed"]),
        ]
        last = "changed"
    if ballast:
        rng = np.random.default_rng(0)
        constants["ballast_in"] = (rng.standard_normal((PIXELS, ballast)) / 255).astype(np.float32)
        constants["ballast_out"] = np.zeros((ballast, CLASSES), np.float32)
        nodes.append(helper.make_node("MatMul", ["flat", "ballast_in"], ["ballast_0"]))
        for i in range(3):
            constants[f"ballast_{i}_weight"] = (rng.standard_normal((ballast, ballast)) / ballast**0.5).astype("f4")
            nodes.append(helper.make_node("MatMul", [f"ballast_{i}", f"ballast_{i}_weight"], [f"ballast_{i}_sum"]))
            nodes.append(helper.make_node("Relu", [f"ballast_{i}_sum"], [f"ballast_{i + 1}"]))
        nodes.append(helper.make_node("MatMul", ["ballast_3", "ballast_out"], ["nothing"]))
        nodes.append(helper.make_node("Add", [last, "nothing"], ["sum"]))
        last = "sum"
    nodes.append(helper.make_node("Identity", [last], ["scores"]))
    graph = helper.make_graph(
        nodes,
        "planted",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 2, PIXELS // 2])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    save_model(model, str(path))
    return path


def _columns(pixels: Sequence[int]) -> Any:
    import numpy as np

    picked = np.zeros((PIXELS, CLASSES), np.float32)
    picked[list(pixels), range(CLASSES)] = 1
    return picked
