"""What ``native.py`` makes before it times: each function runs in a process of its own and answers with plain JSON."""

from __future__ import annotations

import os
import shutil
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from native_inputs import CALIBRATION_TOKENS, samples
from native_networks import EXPORTED, FASTEST, Network
from speedwell import passes
from speedwell.core import Context, Hardware, Model, Step, Workload, encode

__all__ = ["export", "inductor", "ort_dynamic", "ort_float", "plan", "quantized", "reference"]

CALIBRATION = 32
"""Samples that ranges and rounding are found on."""
PARTS = {"timing": 0, "calibration": 1, "checks": 2}
ORT_OPSET = 17
"""The last that TorchScript's exporter writes in full; the optimizer's patterns are made for its graphs."""


def feed(network: Network, texts: Path | None, part: str, count: int, tokens: int = 0) -> dict[str, np.ndarray]:
    """Samples for one purpose; no purpose sees another's."""
    return samples(network, texts, PARTS[part], count, tokens)


def export(folder: Path, network: Network, texts: Path | None) -> dict[str, Any]:
    """The torch form, and its float32 graph by our ``to_onnx`` and ``fuse``."""
    from speedwell import sources

    reference = f"{Path(__file__).with_name('native_networks.py')}:{network.factory}"
    whole = sources.load_model(reference, None, folder)
    tokens = min(network.tokens, CALIBRATION_TOKENS)
    whole = sources.complete_signature(whole, feed(network, texts, "timing", 1, tokens))
    context = _context(folder, network, texts)
    graph = passes.build(Step("fuse"))(passes.build(Step("to_onnx"))(whole, context), context)
    return {"torch": encode(whole), "float": encode(graph)}


def quantized(folder: Path, network: Network, texts: Path | None, model: Model, form: str, bits: int) -> Any:
    """``model`` by our ``quantize_static`` or ``quantize_dynamic``, weights of ``bits`` bits; ``form`` "narrow" is the
    static one with activations of 7 bits.
    """
    kind, activations = ("static", {"activation_bits": 7}) if form == "narrow" else (form, {})
    step = Step(f"quantize_{kind}", {"weight_bits": bits, **activations})
    return encode(passes.build(step)(model, _context(folder, network, texts)))


def ort_float(folder: Path, network: Network, texts: Path | None, model: Model) -> str:
    """ONNX Runtime's own recipe: its transformer optimizer, on a graph of the exporter that its patterns fit."""
    import torch
    from onnxruntime.transformers import optimizer

    from speedwell.sources import build_module

    warnings.simplefilter("ignore")
    module: Any = build_module(model)
    module.network.set_attn_implementation(EXPORTED)
    example = feed(network, texts, "timing", 2, min(network.tokens, CALIBRATION_TOKENS))
    axes = {0: "batch", 1: "sequence"} if network.tokens else {0: "batch"}
    names, path = [*example], folder / "exported.onnx"
    torch.onnx.export(
        module, tuple(torch.from_numpy(a) for a in example.values()), str(path), dynamo=False, opset_version=ORT_OPSET,
        input_names=names, output_names=["output"], dynamic_axes=dict.fromkeys([*names, "output"], axes),
    )  # fmt: skip
    kind = "bert" if network.tokens else "vit"
    made = optimizer.optimize_model(str(path), kind, network.heads, network.hidden, use_gpu=False)
    made.save_model_to_file(str(folder / "optimized.onnx"))
    path.unlink()
    return str(folder / "optimized.onnx")


def ort_dynamic(folder: Path, path: str, bits: int) -> str:
    """Its optimized graph by its own ``quantize_dynamic``; ``reduce_range`` is its word for weights of 7 bits."""
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    out = folder / "dynamic.onnx"
    options = {"DefaultTensorType": TensorProto.FLOAT}  # of what follows its fused operators, which onnx cannot infer
    narrow = bits == 7
    quantize_dynamic(Path(path), out, weight_type=QuantType.QInt8, reduce_range=narrow, extra_options=options)
    return str(out)


def plan(folder: Path, model: Model) -> dict[str, Any]:
    """``model`` lowered for the native engine, and how long that took."""
    from speedwell.native import lower

    began = time.perf_counter()
    facts = lower(model.payload, folder / "plan")
    return {"plan": str(folder / "plan"), "seconds": time.perf_counter() - began, "operators": dict(facts.operators)}


def inductor(folder: Path, network: Network, texts: Path | None, model: Model, batch: int, threads: int) -> str:
    """TorchInductor's code for one setting, made ahead of time (AOTInductor) with the weights frozen, as its guide for
    CPUs advises: the same kernels as torch.compile's, without its checks around each call.
    """
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "cache")
    import torch
    import torch._inductor.config as config

    from speedwell.sources import build_module

    config.compile_threads = 1  # no pool of compiler processes that could outlive this one
    torch.set_num_threads(threads)  # the number is written into the code
    module: Any = build_module(model)
    module.network.set_attn_implementation(FASTEST)
    example = tuple(torch.from_numpy(a) for a in feed(network, texts, "timing", batch).values())
    with torch.no_grad():
        program = torch.export.export(module, example)
        path = str(folder / "compiled.pt2")
        made = torch._inductor.aoti_compile_and_package(program, package_path=path, inductor_configs={"freezing": True})
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return str(made)


def reference(folder: Path, model: Model, checks: Path) -> str:
    """The float32 graph's outputs, by ONNX Runtime with every optimization off, one sample at a time."""
    with np.load(checks, allow_pickle=False) as file:
        arrays = dict(file)
    count = len(next(iter(arrays.values())))
    outputs = [passes.reference.run(model, {n: a[i : i + 1] for n, a in arrays.items()}) for i in range(count)]
    np.save(folder / "reference.npy", np.concatenate([next(iter(o.values())) for o in outputs]))
    return str(folder / "reference.npy")


def _context(folder: Path, network: Network, texts: Path | None) -> Context:
    tokens = CALIBRATION_TOKENS if network.tokens else 0
    known = feed(network, texts, "calibration", CALIBRATION, tokens)

    def calibration() -> Iterator[dict[str, np.ndarray]]:
        for i in range(CALIBRATION):
            yield {name: array[i : i + 1] for name, array in known.items()}

    shapes = {name: (1, *array.shape[1:]) for name, array in known.items()}
    return Context(calibration, passes.reference.run, Workload(1, 1, shapes), Hardware.here(), folder)
