"""``write``: a small convolutional ONNX classifier with random convolutions, and images that it answers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["write"]

CLASSES, SIZE = 10, 32
WIDTHS = (1, 32, 64, 64)


def write(folder: Path, images: int, seed: int = 0) -> tuple[Path, Path, Path]:
    """(network.onnx, data.npz, confirmation.npz) in ``folder``.

    Three convolutions of random weights (normal, per channel), then the nearest of ten class means: far apart, so that
    8 bits suffice. A class is a pattern under noise; 5 % of the labels are replaced.
    """
    import onnxruntime

    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 200, (CLASSES, SIZE, SIZE))
    classes = rng.integers(0, CLASSES, images)
    pixels = (patterns[classes] + rng.integers(0, 56, (images, SIZE, SIZE))).astype(np.uint8)
    weights = [
        (rng.standard_normal((out, inside, 3, 3)) * (2 / (9 * inside)) ** 0.5).astype(np.float32)
        for inside, out in pairwise(WIDTHS)
    ]
    features = WIDTHS[-1]
    plain = _model(weights, np.eye(features, dtype=np.float32), np.zeros(features, np.float32))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(plain.SerializeToString(), options, ["CPUExecutionProvider"])
    feed = pixels[:500].astype(np.float32)[:, None] / 255
    seen = np.concatenate([session.run(["scores"], {"image": part})[0] for part in np.split(feed, 10)])
    means = np.stack([seen[classes[:500] == c].mean(0) for c in range(CLASSES)])
    # |x - m|^2 up to what all classes share, in units of the features' spread
    spread = float(means.std(0).mean())
    centred = (means - means.mean(0)) / spread
    head = (centred.T / spread).astype(np.float32)
    bias = (-(centred**2).sum(1) / 2 - means.mean(0) @ centred.T / spread).astype(np.float32)
    _save(_model(weights, head, bias), folder / "network.onnx")
    labels = np.where(rng.random(images) < 0.05, (classes + 1) % CLASSES, classes)
    names = np.array([f"class {i}" for i in range(CLASSES)])
    half = images // 2
    for name, part in (("data.npz", slice(0, half)), ("confirmation.npz", slice(half, None))):
        np.savez(folder / name, images=pixels[part], labels=labels[part], classes=names)
    return folder / "network.onnx", folder / "data.npz", folder / "confirmation.npz"


def _model(weights: list[np.ndarray], head: np.ndarray, bias: np.ndarray) -> Any:
    from onnx import TensorProto, checker, helper, numpy_helper

    constants: dict[str, np.ndarray] = {"head": head, "bias": bias}
    nodes, last = [], "image"
    for i, weight in enumerate(weights):
        constants |= {f"w{i}": weight, f"b{i}": np.zeros(len(weight), np.float32)}
        strides = [1 + (i == 1)] * 2
        nodes.append(helper.make_node("Conv", [last, f"w{i}", f"b{i}"], [f"c{i}"], pads=[1] * 4, strides=strides))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        last = f"r{i}"
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head", "bias"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, SIZE, SIZE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(bias)])],
        [numpy_helper.from_array(a, n) for n, a in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(made)
    return made


def _save(model: Any, path: Path) -> None:
    path.write_bytes(model.SerializeToString())
