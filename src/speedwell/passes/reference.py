"""``run``: the unoptimized float reference that every pass and engine is compared with.

Torch forms run eagerly; ONNX forms run in ONNX Runtime with every graph optimization off.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Arrays, Model

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["forget", "run", "session"]

KEPT = 2
"""Models kept open between calls: the one before and the one after a pass."""

_open: OrderedDict[tuple[str, str], Any] = OrderedDict()


def run(model: Model, inputs: Arrays) -> dict[str, np.ndarray]:
    """Outputs by name in the signature's order. The same inputs give the same bits."""
    key = (model.digest, str(model.payload))
    if key not in _open:
        while len(_open) >= KEPT:
            _open.popitem(last=False)
        _open[key] = _torch(model) if model.form == "torch" else session(model.payload)
    _open.move_to_end(key)
    if model.form == "torch":
        return _run_torch(model, _open[key], inputs)
    names = list(model.signature.output_names)
    feed = {n: np.ascontiguousarray(inputs[n]) for n in model.signature.input_names}
    return dict(zip(names, _open[key].run(names, feed), strict=True))


def forget() -> None:
    """Close what ``run`` keeps open and give its memory back."""
    _open.clear()


def session(path: Any, threads: int = 0, optimize: bool = False) -> onnxruntime.InferenceSession:
    """An ONNX Runtime CPU session of a file (or of serialized bytes). ``threads`` 0: the library's own choice."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_EXTENDED if optimize else level.ORT_DISABLE_ALL
    return ort.InferenceSession(
        path if isinstance(path, bytes) else str(path), options, providers=["CPUExecutionProvider"]
    )


def _torch(model: Model) -> Any:
    from ..sources import build_module

    return build_module(model)


def _run_torch(model: Model, module: Any, inputs: Arrays) -> dict[str, np.ndarray]:
    import torch

    from ..sources import call_module

    tensors = {n: torch.tensor(np.ascontiguousarray(inputs[n])) for n in model.signature.input_names}
    with torch.inference_mode():
        outputs = call_module(module, tensors, model.signature)
    return {name: value.numpy() for name, value in outputs.items()}
