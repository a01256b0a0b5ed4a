"""A candidate in plain words: "int8 static (mse), ONNX Runtime" rather than a list of passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..core import Candidate, Step
from .words import plain

__all__ = ["candidate_label", "candidate_labels", "engine_label", "step_label"]

_ENGINES = {
    "eager": "torch eager",
    "inductor": "TorchInductor",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "native": "native",
}
# Steps that change the form or the graph, but no number beyond rounding: named only where nothing else is.
_QUIET = {"to_onnx": "", "fuse": "fused"}
_STEPS = {
    "to_onnx": "to ONNX",
    "fuse": "fused",
    "quantize_static": "int8 static",
    "quantize_dynamic": "int8 dynamic",
    "half": "bfloat16",
    "half_torch": "bfloat16",
}
_PRECISIONS = {"bf16": "bfloat16", "bfloat16": "bfloat16", "f16": "float16", "fp16": "float16", "float16": "float16"}


def engine_label(name: str) -> str:
    """ "onnxruntime" -> "ONNX Runtime"; a name not known here is shown as it is."""
    return _ENGINES.get(name, plain(name))


def _param(name: str, value: Any) -> str:
    words = plain(name).replace("_", " ")
    if value is True:
        return words
    if value is False:
        return f"no {words}"
    if isinstance(value, (list, tuple)):
        return f"{len(value)} {words}"
    if name in ("method", "calibration", "observer"):
        return plain(value)
    return f"{words} {plain(value)}"


def step_label(step: Step) -> str:
    """ "int8 static (mse)", "bfloat16"; a step not known here by its name, underscores as spaces."""
    params = dict(step.params)
    name = _STEPS.get(step.name, plain(step.name).replace("_", " "))
    if step.name == "half":
        for key in ("precision", "dtype", "format", "kind"):
            if str(params.get(key)) in _PRECISIONS:
                name = _PRECISIONS[str(params.pop(key))]
                break
    inside = ", ".join(_param(k, v) for k, v in sorted(params.items()))
    return f"{name} ({inside})" if inside else name


def candidate_label(candidate: Candidate, original: Candidate | None = None) -> str:
    """ "original, torch eager", "same, OpenVINO", "fused, OpenVINO", "int8 static (mse), ONNX Runtime"."""
    engine = engine_label(candidate.engine)
    if original is not None and candidate.key == original.key:
        return f"original, {engine}"
    loud = [step_label(s) for s in candidate.steps if s.name not in _QUIET]
    quiet = [step_label(s) for s in candidate.steps if _QUIET.get(s.name)]
    return f"{' + '.join(loud or quiet or ['same'])}, {engine}"


def candidate_labels(candidates: Iterable[Candidate], original: Candidate | None = None) -> Mapping[str, str]:
    """Label by candidate key, no two alike: where short labels clash, every step is named."""
    by_key = {c.key: c for c in candidates}
    short = {key: candidate_label(c, original) for key, c in by_key.items()}
    uses = Counter(short.values())
    for key, label in short.items():
        if uses[label] > 1 and by_key[key].steps:
            short[key] = " + ".join(step_label(s) for s in by_key[key].steps) + f", {engine_label(by_key[key].engine)}"
    uses = Counter(short.values())
    for key, label in short.items():
        if uses[label] > 1:
            short[key] = f"{label} #{key[:6]}"
    return short
