"""Optional libraries: one place that imports them, one message that names the extra."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingExtraError

__all__ = ["EXTRAS", "try_import"]

EXTRAS = {
    "torch": "torch",
    "cloudpickle": "torch",
    "openvino": "openvino",
    "transformers": "hf",
    "datasets": "hf",
    "pyarrow": "hf",
    "timm": "vision",
    "torchvision": "vision",
    "tensorboard": "train",
    "faster_coco_eval": "detection",
    "opacus": "privacy",
    "dp_accounting": "privacy",
    "sklearn": "demo",
    "mlxtend": "demo",
}


def try_import(name: str) -> ModuleType:
    """Import a third-party module. Raises ``MissingExtraError`` with the pip command that brings it.

    A library that is there but fails to import raises the same error with the library's own words.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        root = name.partition(".")[0]
        extra = EXTRAS.get(root)
        wanted = f'"speedwell[{extra}]"' if extra else root
        raise MissingExtraError(f"{root} cannot be imported: {error}", f"pip install {wanted}") from error
