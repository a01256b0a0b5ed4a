"""What runs a model: PyTorch as it is, TorchInductor, ONNX Runtime, OpenVINO. Importing this imports none of them."""

from __future__ import annotations

from ..core.protocols import Engine
from ..core.registry import Registry
from .eager import Eager
from .inductor import Inductor
from .onnxruntime import OnnxRuntime, reference_session
from .openvino import OpenVino

__all__ = ["REGISTRY", "Eager", "Inductor", "OnnxRuntime", "OpenVino", "reference_session"]

BUILTINS: tuple[type[Engine], ...] = (Eager, Inductor, OnnxRuntime, OpenVino)
REGISTRY: Registry[Engine] = Registry("speedwell.engines", ((engine.name, engine) for engine in BUILTINS))
