"""Open a trained model: an ONNX file, a factory, a Hugging Face folder, a timm name, a live module; or begin one.

Everything that a source reads is checked before it is parsed, nothing is ever unpickled from a file that the user
did not make here, and nothing is fetched. ``import speedwell.sources`` is cheap: torch, onnx and transformers are
imported by the functions that need them.
"""

from __future__ import annotations

from .call import call_module, forward_parameters
from .live import save_live
from .load import REGISTRY, load_model
from .new import new_model
from .rebuild import build_module
from .refuse import refuse_unsafe
from .signature import complete_signature
from .state_dict import convert_weights
from .trained import save_trained
from .weights import untied

__all__ = [
    "REGISTRY",
    "build_module",
    "call_module",
    "complete_signature",
    "convert_weights",
    "forward_parameters",
    "load_model",
    "new_model",
    "refuse_unsafe",
    "save_live",
    "save_trained",
    "untied",
]
