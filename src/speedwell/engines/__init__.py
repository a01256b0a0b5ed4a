"""What runs a model: PyTorch as it is, TorchInductor, ONNX Runtime, OpenVINO, our own. Importing this loads none."""

from __future__ import annotations

from ..core.protocols import Engine
from ..core.registry import Registry
from .eager import Eager
from .inductor import Inductor
from .native import Native
from .onnxruntime import OnnxRuntime, reference_session
from .openvino import OpenVino

__all__ = ["REGISTRY", "Eager", "Inductor", "Native", "OnnxRuntime", "OpenVino", "reference_session"]

BUILTINS: tuple[type[Engine], ...] = (Eager, Inductor, OnnxRuntime, OpenVino, Native)
REGISTRY: Registry[Engine] = Registry("speedwell.engines", ((engine.name, engine) for engine in BUILTINS))
