"""ONNX Runtime on its CPU provider, with every graph optimization; and, all of them off, the reference."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from ..core.context import Arrays
from ..core.errors import EngineError
from ..core.hardware import Hardware
from ..core.model import Form, Model
from ..core.protocols import Availability, OperatorTime, Session
from ..core.workload import Workload
from .complaint import complaint
from .feed import Feed
from .installed import installed
from .operator_times import operator_times
from .precision import QUANTIZED, asked, machine

__all__ = ["OnnxRuntime", "OnnxRuntimeSession", "reference_session"]

PROVIDER = "CPUExecutionProvider"
MINIMUM = "1.20"
ONE_FILE = 1 << 30
"""Bytes up to which an optimized graph is written out to be looked at (a protobuf ends at 2 GiB)."""
INT8_KERNELS = frozenset({
    "QLinearConv", "ConvInteger", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul",
    "QGemm", "QAttention", "DynamicQuantizeLSTM", "MatMulNBits", "MatMulIntegerToFloat16", "NhwcQLinearConv",
})  # fmt: skip
FLOAT_KERNELS = frozenset({
    "Conv", "FusedConv", "NhwcFusedConv", "ConvTranspose", "MatMul", "FusedMatMul", "Gemm", "FusedGemm", "Attention",
    "MultiHeadAttention", "LSTM", "GRU",
})  # fmt: skip
"""Where a network's arithmetic lies: the layers that "int8 layers: 20 of 22" counts."""


class OnnxRuntime:
    """Reads the ONNX form: float32 and both quantized forms."""

    name = "onnxruntime"

    def availability(self, hardware: Hardware) -> Availability:  # noqa: ARG002 - runs on every CPU that has a wheel
        return installed("onnxruntime", MINIMUM, distributions=("onnxruntime", "onnxruntime-gpu"))

    def reads(self, form: Form, traits: frozenset[str]) -> str:
        if form != "onnx":
            return f"reads the onnx form only, this is {form} (to_onnx converts it)"
        if "bf16" in traits:
            return "has no bfloat16 kernels on CPUs"
        if "f16" in traits and machine().architecture not in ("aarch64", "arm64"):
            return "has no float16 kernels on x86 CPUs: it would compute in float32 with casts around every operator"
        return ""

    def compile(self, model: Model, workload: Workload, scratch: Path) -> Session:
        if why := self.reads(model.form, model.traits):
            raise EngineError(f"{self.name} {why}")
        scratch.mkdir(parents=True, exist_ok=True)
        return OnnxRuntimeSession(model, workload.threads, scratch)


def reference_session(model: Model, threads: int) -> OnnxRuntimeSession:
    """The oracle for every ONNX graph, quantized ones included: ONNX Runtime with graph optimizations off, so that
    each node is computed alone, as the standard says. Raises ``EngineError``.
    """
    return OnnxRuntimeSession(model, threads, scratch=None)


class OnnxRuntimeSession:
    """One ``InferenceSession``: any batch and sequence. ``scratch`` None: the unoptimized reference."""

    def __init__(self, model: Model, threads: int, scratch: Path | None) -> None:
        self._model = model
        self._threads = threads
        self._scratch = scratch
        self._feed = Feed(model.signature)
        self._inputs = model.signature.input_names
        self._outputs = list(model.signature.output_names)
        # Only a quantized graph is written out: a float graph on one provider has nothing that could be otherwise.
        self._kernels: dict[str, int] | None = None
        quantized = scratch is not None and bool(model.traits & QUANTIZED) and model.size_bytes < ONE_FILE
        self._session: Any = self._open(graph=quantized)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """The arrays belong to the caller: ONNX Runtime allocates each run's outputs anew."""
        arrays = self._feed(inputs)
        try:
            values = self._session.run(self._outputs, dict(zip(self._inputs, arrays, strict=True)))
        except Exception as error:
            raise self._failed("run", error) from error
        return dict(zip(self._outputs, values, strict=True))

    def profile(self, inputs: Arrays, runs: int) -> tuple[OperatorTime, ...]:
        """From ONNX Runtime's own profiler, in a second session; the first run is not counted. The file is removed."""
        folder = Path(mkdtemp(prefix="ort-profile-", dir=self._scratch))
        try:
            session = self._open(profile=folder)
            feed = dict(zip(self._inputs, self._feed(inputs), strict=True))
            try:
                for _ in range(runs + 1):
                    session.run(self._outputs, feed)
            except Exception as error:
                raise self._failed("run", error) from error
            events = json.loads(Path(session.end_profiling()).read_text())
        finally:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        starts = sorted(e["ts"] for e in events if e.get("name") == "model_run")
        nodes = [
            (e["args"]["op_name"], e["dur"] * 1e-6, 1)
            for e in events
            if e.get("cat") == "Node" and e["name"].endswith("_kernel_time") and e["ts"] >= starts[1]
        ]
        return operator_times(nodes, runs)

    def facts(self) -> dict[str, str]:
        """``provider``: the one that holds the nodes (no other is offered, so none can take one over)."""
        import onnxruntime

        session = self._alive()
        options = session.get_session_options()
        facts = {
            "provider": session.get_providers()[0],
            "precision": asked(self._model.traits),
            "threads": str(options.intra_op_num_threads),
            "version": onnxruntime.__version__,
            "graph optimizations": "off" if self._scratch is None else "all",
        }
        if self._kernels is not None:
            whole = sum(self._kernels.get(k, 0) for k in INT8_KERNELS)
            layers = whole + sum(self._kernels.get(k, 0) for k in FLOAT_KERNELS)
            facts["int8 layers"] = f"{whole} of {layers}"
            if not whole:
                facts["precision"] = "float32"
        return facts

    def close(self) -> None:
        self._session = None

    def _alive(self) -> Any:
        if self._session is None:
            raise EngineError("this onnxruntime session is closed")
        return self._session

    def _failed(self, doing: str, error: Exception) -> Exception:
        return (
            complaint("onnxruntime", doing, error)
            if self._session is not None
            else EngineError("this onnxruntime session is closed")
        )

    def _open(self, graph: bool = False, profile: Path | None = None) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_DISABLE_ALL if self._scratch is None else level.ORT_ENABLE_ALL
        # Threads may spin for the next operator, never for the next run: another session is timed meanwhile.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        written = None
        if graph and self._scratch is not None:
            written = Path(mkdtemp(prefix="ort-graph-", dir=self._scratch)) / "optimized.onnx"
            options.optimized_model_filepath = str(written)
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(profile / "profile")
        try:
            session = ort.InferenceSession(str(self._model.payload), options, providers=[PROVIDER])
            if written is not None:
                self._kernels = _kernels(written)
        except Exception as error:
            raise complaint("onnxruntime", "compile", error) from error
        finally:
            if written is not None:
                for file in written.parent.iterdir():
                    file.unlink()
                written.parent.rmdir()
        return session


def _kernels(path: Path) -> dict[str, int]:
    """How many nodes of each operator the optimized graph has, subgraphs included."""
    import onnx

    counts: dict[str, int] = {}
    graphs = [onnx.load(path, load_external_data=False).graph]
    while graphs:
        for node in graphs.pop().node:
            counts[node.op_type] = counts.get(node.op_type, 0) + 1
            graphs += [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    return counts
