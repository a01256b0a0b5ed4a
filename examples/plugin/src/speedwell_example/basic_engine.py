"""``onnxruntime_basic``: ONNX Runtime with its basic graph rewrites only."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from speedwell.core import Arrays, Availability, Form, Hardware, Model, OperatorTime, Session, Workload
from speedwell.core.errors import EngineError
from speedwell.engines.feed import Feed

__all__ = ["BasicEngine"]


class BasicEngine:
    """Reads float32 ONNX forms."""

    name = "onnxruntime_basic"

    def availability(self, hardware: Hardware) -> Availability:  # noqa: ARG002 - onnxruntime comes with Speedwell
        return Availability(True, version("onnxruntime"))

    def reads(self, form: Form, traits: frozenset[str]) -> str:
        if form != "onnx":
            return f"reads the onnx form only, this is {form}"
        return "" if "float" in traits and "bf16" not in traits else "reads float32 only"

    def compile(self, model: Model, workload: Workload, scratch: Path) -> Session:  # noqa: ARG002 - writes nothing
        if why := self.reads(model.form, model.traits):
            raise EngineError(f"{self.name} {why}")
        return BasicSession(model, workload.threads)


class BasicSession:
    """One ``InferenceSession``: any batch and sequence."""

    def __init__(self, model: Model, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        # threads must not spin on between runs: another session is timed meanwhile
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session: Any = onnxruntime.InferenceSession(str(model.payload), options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises many classes; all mean the same here
            raise EngineError(f"onnxruntime_basic cannot compile: {error}") from error
        self._signature, self._threads = model.signature, threads
        self._feed = Feed(model.signature)  # checks names, dtypes, shapes; raises InputMismatchError

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        feed = dict(zip(self._signature.input_names, self._feed(inputs), strict=True))
        if self._session is None:
            raise EngineError("this onnxruntime_basic session is closed")
        names = list(self._signature.output_names)
        return dict(zip(names, self._session.run(names, feed), strict=True))

    def profile(self, inputs: Arrays, runs: int) -> tuple[OperatorTime, ...]:
        """The whole network as one row: this engine does not tell its operators apart."""
        began = time.perf_counter()
        for _ in range(runs):
            self.run(inputs)
        return (OperatorTime("whole network", (time.perf_counter() - began) / runs, 1),)

    def facts(self) -> dict[str, str]:
        return {"provider": "CPUExecutionProvider", "precision": "float32", "threads": str(self._threads),
                "version": version("onnxruntime")}  # fmt: skip

    def close(self) -> None:
        self._session = None
