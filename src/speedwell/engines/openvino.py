"""OpenVINO on the CPU: static shapes for the workload's batch, and a second, dynamic form for any other."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..core.context import Arrays
from ..core.errors import EngineError
from ..core.extras import try_import
from ..core.hardware import Hardware
from ..core.model import Form, Model
from ..core.protocols import Availability, OperatorTime, Session
from ..core.signature import BATCH
from ..core.workload import Workload
from .complaint import complaint
from .feed import Feed, in_place
from .installed import installed
from .operator_times import operator_times
from .precision import asked, machine, no_bf16

__all__ = ["OpenVino", "OpenVinoSession", "shared_core"]

MINIMUM = "2025.0"
ARCHITECTURES = ("x86_64", "AMD64", "aarch64", "arm64")
LAYERS = frozenset({"Convolution", "Deconvolution", "FullyConnected", "MatMul", "LSTMSequence", "GRUSequence"})
"""Kinds that hold a network's arithmetic: what "int8 layers: 20 of 22" counts."""
FORMATS = {"i8": "int8", "u8": "int8", "i4": "int8", "u4": "int8", "bf16": "bf16", "f16": "f16"}


class OpenVino:
    """Reads the ONNX form: float32, both quantized forms, and bf16 or f16 where the hardware computes in it."""

    name = "openvino"

    def availability(self, hardware: Hardware) -> Availability:
        if hardware.architecture not in ARCHITECTURES:
            return Availability(False, why_not=f"OpenVINO has no build for {hardware.architecture}")
        return installed("openvino", MINIMUM, "openvino")

    def reads(self, form: Form, traits: frozenset[str]) -> str:
        if form != "onnx":
            return f"reads the onnx form only, this is {form} (to_onnx converts it)"
        if "bf16" in traits:
            return no_bf16(machine())
        if (
            "f16" in traits
            and "avx512_fp16" not in machine().flags
            and machine().architecture not in ("aarch64", "arm64")
        ):
            return f"f16 needs avx512_fp16 or an Arm CPU; this is {machine().isa}"
        return ""

    def compile(self, model: Model, workload: Workload, scratch: Path) -> Session:  # noqa: ARG002 - writes nothing
        if why := self.reads(model.form, model.traits):
            raise EngineError(f"{self.name} {why}")
        return OpenVinoSession(model, workload)


class OpenVinoSession:
    """Two compiled forms at most: the workload's batch, made at once, and any batch, made when one comes.

    A second form, instead of cutting batches up, because a dynamically quantized network's scales depend on the batch.
    """

    def __init__(self, model: Model, workload: Workload) -> None:
        self._model = model
        self._workload = workload
        self._feed = Feed(model.signature)
        self._names = model.signature.output_names
        self._batch = workload.batch if BATCH in model.signature.symbols else None
        self._tensor = _library().Tensor
        self._compiled: Any = self._compile(self._batch)
        self._request: Any = self._compiled.create_infer_request()
        self._other: Any = None
        self._closed = False
        wanted, layers = asked(model.traits), self._layers()
        if wanted in ("bf16", "f16") and layers and not layers.get(wanted):
            raise EngineError(
                f"openvino was asked for {wanted} and runs none of its {sum(layers.values())} layers in it"
            )

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Inputs are read where they lie (copied only where not contiguous or read-only), outputs are copied out."""
        arrays = self._feed(inputs)
        try:
            return self._infer(self._request_for(self._feed.batch), arrays)
        except EngineError:
            raise
        except Exception as error:
            raise complaint("openvino", "run", error) from error

    def profile(self, inputs: Arrays, runs: int) -> tuple[OperatorTime, ...]:
        """From OpenVINO's performance counters, in a form compiled for it; the first run is not counted."""
        arrays = self._feed(inputs)
        batch = self._batch if self._feed.batch == self._batch else None
        request = self._compile(batch, counters=True).create_infer_request()
        rows: list[tuple[str, float, float]] = []
        try:
            for run in range(runs + 1):
                self._infer(request, arrays)
                if run:
                    rows += [
                        (node.node_type, node.real_time.total_seconds(), 1)
                        for node in request.get_profiling_info()
                        if str(node.status).endswith("EXECUTED")
                    ]
        except Exception as error:
            raise complaint("openvino", "run", error) from error
        return operator_times(rows, runs)

    def facts(self) -> dict[str, str]:
        """From the executed graph: ``precision`` is what most layers run in; "int8 layers" where the model is
        quantized, "bf16 layers" where that was asked for.
        """
        self._alive()
        devices = self._compiled.get_property("EXECUTION_DEVICES")
        layers = self._layers()
        total, wanted = sum(layers.values()), asked(self._model.traits)
        facts = {
            "provider": ", ".join(devices) if isinstance(devices, (list, tuple)) else str(devices),
            "precision": max(layers, key=lambda name: (layers[name], name)) if layers else "float32",
            "threads": str(self._compiled.get_property("INFERENCE_NUM_THREADS")),
            "streams": str(self._compiled.get_property("NUM_STREAMS")),
            "version": str(_library().get_version()).partition("-")[0],
            "shapes": "static" if self._is_static() else "dynamic",
        }
        if wanted != "float32":
            name = "int8" if wanted == "int4" else wanted
            facts[f"{name} layers"] = f"{layers.get(name, 0)} of {total}"
        return facts

    def close(self) -> None:
        self._closed = True
        self._compiled = self._request = self._other = None

    def _alive(self) -> None:
        if self._closed:
            raise EngineError("this openvino session is closed")

    def _request_for(self, batch: int | None) -> Any:
        self._alive()
        if batch == self._batch:
            return self._request
        if self._other is None:
            self._other = self._compile(None).create_infer_request()
        return self._other

    def _infer(self, request: Any, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        # Tensors set by hand: on a tiny network 25 us a run, against 29 by InferRequest.infer with shared inputs and
        # 67 with its defaults (one thread, first decile of 2,000 runs).
        kept = []
        for position, array in enumerate(arrays):
            kept.append(in_place(array))  # the request does not own the memory it reads
            request.set_input_tensor(position, self._tensor(kept[-1], shared_memory=True))
        request.infer()
        return {name: request.get_output_tensor(i).data.copy() for i, name in enumerate(self._names)}

    def _compile(self, batch: int | None, counters: bool = False) -> Any:
        ov = _library()
        signature = self._model.signature
        precision = asked(self._model.traits)
        settings = {
            # Said always: left alone, OpenVINO computes float32 models in bf16 on CPUs that have it.
            "INFERENCE_PRECISION_HINT": precision if precision in ("bf16", "f16") else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self._workload.threads,
            "PERF_COUNT": counters,
        }
        try:
            graph = shared_core().read_model(self._model.payload)
            if len(graph.inputs) != len(signature.inputs) or len(graph.outputs) != len(signature.outputs):
                raise EngineError(
                    f"openvino sees {len(graph.inputs)} inputs and {len(graph.outputs)} outputs,"
                    f" the signature says {len(signature.inputs)} and {len(signature.outputs)}"
                )
            sizes = {BATCH: batch} if batch else {}
            graph.reshape(
                {
                    port: ov.PartialShape([d if isinstance(d, int) else sizes.get(d, -1) for d in spec.shape])
                    for port, spec in zip(graph.inputs, signature.inputs, strict=True)
                }
            )
            return shared_core().compile_model(graph, "CPU", settings)
        except EngineError:
            raise
        except Exception as error:
            raise complaint("openvino", "compile", error) from error

    def _is_static(self) -> bool:
        return all(port.partial_shape.is_static for port in self._compiled.inputs)

    def _layers(self) -> dict[str, int]:
        """Number of arithmetic layers of the executed graph by the precision they run in."""
        counts: dict[str, int] = {}
        for node in self._compiled.get_runtime_model().get_ordered_ops():
            info = node.get_rt_info()
            if info["layerType"].astype(str) in LAYERS:
                name = FORMATS.get(info["runtimePrecision"].astype(str).lower(), "float32")
                counts[name] = counts.get(name, 0) + 1
        return counts


@functools.cache
def shared_core() -> Any:
    """OpenVINO's ``Core``, one a process, kept to its end.

    Each with a CPU plugin gives the thread that makes it a signal stack of its own, and takes it back with its end as
    if the last made were always the first to go. Of two, the first closed first, the main thread is left on a stack
    that is unmapped, and the next Ctrl-C is a segmentation fault (found with OpenVINO 2026, with and without
    faulthandler).
    """
    return _library().Core()


def _library() -> ModuleType:
    """OpenVINO, imported without the module that sends usage statistics (its own stub then stands in)."""
    if "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            return try_import("openvino")
        finally:
            del sys.modules["openvino_telemetry"]
    return try_import("openvino")
