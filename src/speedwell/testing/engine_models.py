"""Small networks for the engines' conformance suite, each in both forms with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import BATCH, SEQUENCE, Form, Model, Origin, Signature, TensorSpec, TorchPayload, dumps

if TYPE_CHECKING:
    import torch

__all__ = [
    "NETWORKS",
    "QUANTIZED",
    "Network",
    "attention",
    "build_attention",
    "build_convolution",
    "convolution",
    "static_int8",
]

CHANNELS, WIDTH, WORDS, CLASSES = 8, 16, 40, 5
OPSET, IR = 17, 10
HIDDEN = -1e4
"""Added to the score of a masked position: its softmax weight is then 0 in float32."""

Weights = dict[str, np.ndarray]
Nodes = list[tuple[str, list[str], list[str], dict[str, Any]]]


@dataclass(frozen=True)
class Network:
    """``make(form, folder)`` writes a model; ``inputs(batch, sequence, seed)`` draws what goes in."""

    name: str
    signature: Signature
    make: Callable[[Form, Path], Model]
    inputs: Callable[[int, int, int], dict[str, np.ndarray]]


def _weights(seed: int, **shapes: tuple[int, ...]) -> Weights:
    rng = np.random.default_rng(seed)
    return {n: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]) or 1)).astype(np.float32) for n, s in shapes.items()}


CONVOLUTION = _weights(
    0, stem=(CHANNELS, 3, 3, 3), bias=(CHANNELS,), body=(CHANNELS, CHANNELS, 3, 3), head=(CLASSES, CHANNELS)
)
ATTENTION = _weights(
    1, words=(WORDS, WIDTH), query=(WIDTH, WIDTH), key=(WIDTH, WIDTH), value=(WIDTH, WIDTH), scale=(WIDTH,),
    shift=(WIDTH,), head=(CLASSES, WIDTH),
)  # fmt: skip

IMAGES = Signature(
    (TensorSpec("image", "float32", (BATCH, 3, 16, 16)),), (TensorSpec("logits", "float32", (BATCH, CLASSES)),)
)
TEXTS = Signature(
    (
        TensorSpec("input_ids", "int64", (BATCH, SEQUENCE)),
        TensorSpec("attention_mask", "int64", (BATCH, SEQUENCE)),
    ),
    (
        TensorSpec("logits", "float32", (BATCH, CLASSES)),
        TensorSpec("states", "float32", (BATCH, SEQUENCE, WIDTH)),
        TensorSpec("answer", "int64", (BATCH,)),
    ),
)


def convolution(form: Form, folder: Path) -> Model:
    """Two convolutions, a residual sum, average pooling and a linear head."""
    nodes: Nodes = [
        ("Conv", ["image", "stem", "bias"], ["a"], {"pads": [1] * 4, "strides": [2, 2]}),
        ("Relu", ["a"], ["b"], {}),
        ("Conv", ["b", "body"], ["c"], {"pads": [1] * 4}),
        ("Add", ["b", "c"], ["d"], {}),
        ("GlobalAveragePool", ["d"], ["e"], {}),
        ("Flatten", ["e"], ["f"], {}),
        ("Gemm", ["f", "head"], ["logits"], {"transB": 1}),
    ]
    return _make(form, folder, "convolution", IMAGES, CONVOLUTION, nodes)


def attention(form: Form, folder: Path) -> Model:
    """Masked self-attention of one head over word vectors, a layer norm, and three outputs of two dtypes."""
    nodes: Nodes = [
        ("Gather", ["words", "input_ids"], ["x"], {}),
        *(("MatMul", ["x", n], [n + "s"], {}) for n in ("query", "key", "value")),
        ("Transpose", ["keys"], ["turned"], {"perm": [0, 2, 1]}),
        ("MatMul", ["querys", "turned"], ["raw"], {}),
        ("Cast", ["attention_mask"], ["mask"], {"to": 1}),
        ("Sub", ["one", "mask"], ["off"], {}),
        ("Mul", ["off", "hidden"], ["low"], {}),
        ("Unsqueeze", ["low", "axis1"], ["lows"], {}),
        ("Add", ["raw", "lows"], ["scores"], {}),
        ("Softmax", ["scores"], ["shares"], {"axis": -1}),
        ("MatMul", ["shares", "values"], ["mixed"], {}),
        ("Add", ["x", "mixed"], ["sum"], {}),
        ("LayerNormalization", ["sum", "scale", "shift"], ["states"], {"epsilon": 1e-5}),
        ("ReduceMean", ["states"], ["pooled"], {"axes": [1], "keepdims": 0}),
        ("Gemm", ["pooled", "head"], ["logits"], {"transB": 1}),
        ("ArgMax", ["logits"], ["answer"], {"axis": 1, "keepdims": 0}),
    ]
    constants = {"one": np.float32(1), "hidden": np.float32(HIDDEN), "axis1": np.array([1], np.int64)}
    return _make(form, folder, "attention", TEXTS, ATTENTION, nodes, constants)


def mobile(form: Form, folder: Path) -> Model:
    """An inverted residual as in MobileNetV3 and EfficientNet: depthwise convolution, squeeze and excitation,
    HardSwish and a clipped activation. ONNX form only.
    """
    wide = 2 * CHANNELS
    weights = _weights(
        2, stem=(CHANNELS, 3, 3, 3), bias=(CHANNELS,), expand=(wide, CHANNELS, 1, 1), expand_bias=(wide,),
        depth=(wide, 1, 3, 3), squeeze=(4, wide, 1, 1), excite=(wide, 4, 1, 1), project=(CHANNELS, wide, 1, 1),
        project_bias=(CHANNELS,), head=(CLASSES, CHANNELS),
    )  # fmt: skip
    nodes: Nodes = [
        ("Conv", ["image", "stem", "bias"], ["a"], {"pads": [1] * 4, "strides": [2, 2]}),
        ("Clip", ["a", "zero", "six"], ["b"], {}),
        ("Conv", ["b", "expand", "expand_bias"], ["c"], {}),
        ("HardSwish", ["c"], ["d"], {}),
        ("Conv", ["d", "depth"], ["e"], {"pads": [1] * 4, "group": wide}),
        ("HardSwish", ["e"], ["f"], {}),
        ("GlobalAveragePool", ["f"], ["g"], {}),
        ("Conv", ["g", "squeeze"], ["h"], {}),
        ("Relu", ["h"], ["i"], {}),
        ("Conv", ["i", "excite"], ["j"], {}),
        ("HardSigmoid", ["j"], ["k"], {"alpha": 1 / 6, "beta": 0.5}),
        ("Mul", ["f", "k"], ["l"], {}),
        ("Conv", ["l", "project", "project_bias"], ["m"], {}),
        ("Add", ["b", "m"], ["n"], {}),
        ("GlobalAveragePool", ["n"], ["o"], {}),
        ("Flatten", ["o"], ["p"], {}),
        ("Gemm", ["p", "head"], ["logits"], {"transB": 1}),
    ]
    constants = {"zero": np.float32(0), "six": np.float32(6)}
    return _make(form, folder, "mobile", IMAGES, weights, nodes, constants)


def images(batch: int, sequence: int, seed: int) -> dict[str, np.ndarray]:  # noqa: ARG001 - one shape for all networks
    """Normal pixels, float32 [batch, 3, 16, 16]."""
    return {"image": np.random.default_rng(seed).normal(size=(batch, 3, 16, 16)).astype(np.float32)}


def texts(batch: int, sequence: int, seed: int) -> dict[str, np.ndarray]:
    """Token ids and a mask whose rows end at different places; the first row is full."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, sequence + 1, size=batch)
    lengths[0] = sequence
    mask = (np.arange(sequence)[None] < lengths[:, None]).astype(np.int64)
    return {"input_ids": rng.integers(0, WORDS, size=(batch, sequence)) * mask, "attention_mask": mask}


def build_convolution() -> torch.nn.Module:
    """The torch form of ``convolution``, its weights still to be loaded."""
    import torch
    from torch.nn.functional import conv2d, linear

    class Convolution(torch.nn.Module):
        stem: torch.Tensor
        bias: torch.Tensor
        body: torch.Tensor
        head: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            _hold(self, CONVOLUTION)

        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            b = torch.relu(conv2d(image, self.stem, self.bias, stride=2, padding=1))
            d = b + conv2d(b, self.body, padding=1)
            return {"logits": linear(d.mean((2, 3)), self.head)}

    return Convolution()


def build_attention() -> torch.nn.Module:
    """The torch form of ``attention``, its weights still to be loaded."""
    import torch
    from torch.nn.functional import embedding, layer_norm, linear

    class Attention(torch.nn.Module):
        words: torch.Tensor
        query: torch.Tensor
        key: torch.Tensor
        value: torch.Tensor
        scale: torch.Tensor
        shift: torch.Tensor
        head: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            _hold(self, ATTENTION)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
            x = embedding(input_ids, self.words)
            low = ((1 - attention_mask.to(torch.float32)) * HIDDEN).unsqueeze(1)
            shares = torch.softmax((x @ self.query) @ (x @ self.key).transpose(1, 2) + low, dim=-1)
            states = layer_norm(x + shares @ (x @ self.value), (WIDTH,), self.scale, self.shift)
            logits = linear(states.mean(1), self.head)
            return {"answer": logits.argmax(1), "logits": logits, "states": states}

    return Attention()


def _hold(module: torch.nn.Module, weights: Weights) -> None:
    import torch

    for name, array in weights.items():
        module.register_parameter(name, torch.nn.Parameter(torch.zeros(array.shape)))


def _make(
    form: Form,
    folder: Path,
    name: str,
    signature: Signature,
    weights: Weights,
    nodes: Nodes,
    constants: dict[str, Any] | None = None,
) -> Model:
    payload = folder / (f"{name}.onnx" if form == "onnx" else name)
    if form == "onnx":
        _write_onnx(payload, signature, weights | (constants or {}), nodes)
    else:
        from safetensors.numpy import save_file

        payload.mkdir()
        builder = TorchPayload("factory", f"speedwell.testing.engine_models:build_{name}")
        (payload / "module.json").write_text(dumps(builder))
        save_file(weights, payload / "weights.safetensors")
    return Model.of(form, payload, signature, Origin("onnx" if form == "onnx" else "factory", name))


def _write_onnx(path: Path, signature: Signature, tensors: dict[str, Any], nodes: Nodes) -> None:
    import onnx
    from onnx import helper, numpy_helper

    def value(spec: TensorSpec) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(
            spec.name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), spec.shape
        )

    graph = helper.make_graph(
        [helper.make_node(kind, ins, outs, name=outs[0], **attributes) for kind, ins, outs, attributes in nodes],
        path.stem,
        [value(t) for t in signature.inputs],
        [value(t) for t in signature.outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def static_int8(network: Network, folder: Path) -> Model:
    """QuantizeLinear/DequantizeLinear around each operator: per channel, 7-bit weights (right on every CPU)."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[dict[str, np.ndarray]] = (network.inputs(1, 8, seed) for seed in range(16))

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.batches, None)

    source, out = network.make("onnx", folder), folder / f"{network.name}-static.onnx"
    quantize_static(
        source.payload, out, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return Model.of("onnx", out, network.signature, source.origin, ["static-int8"])


def dynamic_int8(network: Network, folder: Path) -> Model:
    """DynamicQuantizeLinear and MatMulInteger or ConvInteger in place of MatMul, Gemm and Conv."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source, out = network.make("onnx", folder), folder / f"{network.name}-dynamic.onnx"
    quantize_dynamic(source.payload, out, reduce_range=True, weight_type=QuantType.QInt8)
    return Model.of("onnx", out, network.signature, source.origin, ["dynamic-int8"])


NETWORKS = (Network("convolution", IMAGES, convolution, images), Network("attention", TEXTS, attention, texts))
MOBILE = Network("mobile", IMAGES, mobile, images)
QUANTIZED: tuple[tuple[Network, Callable[[Network, Path], Model]], ...] = (
    (NETWORKS[0], static_int8),
    (MOBILE, static_int8),
    (NETWORKS[1], static_int8),
    (NETWORKS[0], dynamic_int8),
    (NETWORKS[1], dynamic_int8),
)
"""A network and what quantizes it: both standard forms, and the block that some quantizers' graphs fail on."""
