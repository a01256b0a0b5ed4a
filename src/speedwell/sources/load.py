"""The sources there are, and the choice of one for a reference."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..core import Model, Registry, Source
from ..core.errors import ModelNotFoundError, UnsupportedModelError, UsageError
from .factory import Factory
from .hf import HuggingFace
from .onnx_file import OnnxFile
from .refuse import refuse_unsafe
from .timm import Timm
from .trained import Trained

__all__ = ["BUILTINS", "KINDS", "REGISTRY", "load_model"]

BUILTINS: tuple[tuple[str, Callable[[], Source]], ...] = (
    ("onnx", OnnxFile),
    ("trained", Trained),
    ("hf", HuggingFace),
    ("timm", Timm),
    ("factory", Factory),
)
REGISTRY: Registry[Source] = Registry("speedwell.sources", BUILTINS)

KINDS = """Speedwell opens
  an ONNX file                    model.onnx
  what builds a torch module      package.module:build  or  path/to/file.py:build   (with --weights model.safetensors)
  a Hugging Face folder           hf:path/to/folder
  a timm network                  timm:resnet50@weights.safetensors
  what speedwell train left       trained/"""


def load_model(reference: str, weights: Path | None, scratch: Path) -> Model:
    """Open ``reference`` by the first source that claims it; its payload lies under ``scratch``.

    ``weights``: safetensors or a torch state dict, for a factory or a timm name. Runs user code where the reference
    names user code, so it belongs in a worker process.
    Raises ``ModelNotFoundError`` where nothing lies there, ``UnsafeModelError`` or ``UnsupportedModelError`` (with
    the way out) where it is no kind that Speedwell opens, and any ``ModelError`` of the source.
    """
    if not reference.strip():
        raise UsageError("the model reference is empty", KINDS)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    for source in REGISTRY:
        if source.claims(reference):
            return source.load(reference, weights, scratch)
    raise _refusal(reference)


def _refusal(reference: str) -> Exception:
    path = Path(reference).expanduser()
    if path.exists():
        refuse_unsafe(path)
        if path.is_dir() and (path / "config.json").is_file():
            return UnsupportedModelError(
                f"{reference} is a Hugging Face folder", f"Name it so:   speedwell accelerate hf:{reference} ..."
            )
        what = "folder" if path.is_dir() else "file"
        return UnsupportedModelError(f"cannot open {reference}: no source knows this kind of {what}", KINDS)
    if "/" in reference or path.suffix or not re.fullmatch(r"[\w.]+", reference):
        return ModelNotFoundError(f"there is no file {reference}", KINDS)
    return ModelNotFoundError(f"there is no model {reference!r}: neither a file nor a reference of a known kind", KINDS)
