"""How each library opens and runs a product: its best documented setting for one batch on a few threads.

A runner gets the product, the inputs of the setting, the number of threads and its options, and answers with a call
from inputs to the network's one output, and with facts of what really runs.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

__all__ = ["RUNNERS", "Runner"]

Arrays = Mapping[str, np.ndarray]
Opened = tuple[Callable[[Arrays], np.ndarray], dict[str, Any]]


@dataclass(frozen=True)
class Runner:
    """``libraries`` are imported before memory and time of opening are counted."""

    libraries: tuple[str, ...]
    open: Callable[[Any, Arrays, int, Mapping[str, Any]], Opened]


def native(plan: Path, feed: Arrays, threads: int, options: Mapping[str, Any]) -> Opened:  # noqa: ARG001 - one shape
    """A plan on our executor; ``options``: isa."""
    from speedwell.native import Session

    session = Session(plan, threads, options["isa"])
    names = session.input_names
    return lambda inputs: session.run([inputs[n] for n in names])[0], session.facts()


def onnxruntime(source: Any, feed: Arrays, threads: int, options: Mapping[str, Any]) -> Opened:  # noqa: ARG001
    """Every graph optimization, one stream of operators; its threads may spin between runs, as they do by default."""
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.log_severity_level = 3
    session = ort.InferenceSession(_path(source), settings, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return lambda inputs: session.run(None, {n: inputs[n] for n in names})[0], {}


def openvino(source: Any, feed: Arrays, threads: int, options: Mapping[str, Any]) -> Opened:
    """Static shapes, the latency hint, one stream, no copies of arrays; ``options``: precision of what is float."""
    import openvino as ov

    settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}
    if precision := options.get("precision", "f32"):
        settings["INFERENCE_PRECISION_HINT"] = precision
    core = ov.Core()
    graph = core.read_model(_path(source))
    graph.reshape({port: ov.PartialShape(list(feed[port.any_name].shape)) for port in graph.inputs})
    compiled = core.compile_model(graph, "CPU", settings)
    request = compiled.create_infer_request()
    executed = [node.get_rt_info() for node in compiled.get_runtime_model().get_ordered_ops()]
    kernels = Counter(f"{i['layerType'].astype(str)} {i['primitiveType'].astype(str)}" for i in executed)

    def run(inputs: Arrays) -> np.ndarray:
        answer: np.ndarray = request.infer(dict(inputs), share_inputs=True, share_outputs=True)[0]
        return answer

    return run, {"kernels": dict(kernels)}


def eager(model: Any, feed: Arrays, threads: int, options: Mapping[str, Any]) -> Opened:
    """PyTorch with its fused attention; ``options``: quantized, "dynamic int8" for linear layers by torch.ao."""
    import torch

    from native_networks import FASTEST
    from speedwell.sources import build_module

    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    module: Any = build_module(model)
    module.network.set_attn_implementation(FASTEST)
    if options.get("quantized"):
        quantization: Any = torch.ao.quantization
        module = quantization.quantize_dynamic(module, {torch.nn.Linear}, dtype=torch.qint8)
    facts = {"capability": torch.backends.cpu.get_cpu_capability(), "int8": torch.backends.quantized.engine}
    return _tensors(module, feed), facts


def inductor(package: str, feed: Arrays, threads: int, options: Mapping[str, Any]) -> Opened:  # noqa: ARG001
    """Code that was made ahead of time for this setting."""
    import torch

    torch.set_num_threads(threads)
    with TemporaryDirectory() as folder:  # it unpacks itself, and this process is killed before it can tidy up
        os.environ["TMPDIR"] = folder
        compiled = torch._inductor.aoti_load_package(package)
    os.environ["TMPDIR"] = str(Path(folder).parent)
    return _tensors(compiled, feed), {"capability": torch.backends.cpu.get_cpu_capability()}


RUNNERS: Mapping[str, Runner] = {
    "native": Runner(("speedwell.native.public",), native),
    "onnxruntime": Runner(("onnxruntime",), onnxruntime),
    "openvino": Runner(("openvino",), openvino),
    "eager": Runner(("torch", "transformers.modeling_utils", "speedwell.sources"), eager),
    "inductor": Runner(("torch", "torch._inductor"), inductor),
}


def _path(source: Any) -> str:
    return str(getattr(source, "payload", source))


def _tensors(call: Callable[..., Any], feed: Arrays) -> Callable[[Arrays], np.ndarray]:
    import torch

    names = list(feed)

    def run(inputs: Arrays) -> np.ndarray:
        with torch.inference_mode():
            answer = call(*(torch.from_numpy(inputs[n]) for n in names))
            output = answer if isinstance(answer, torch.Tensor) else answer[0]
            array: np.ndarray = output.numpy()
            return array

    return run
