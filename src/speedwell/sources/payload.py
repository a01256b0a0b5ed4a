"""The folder of a torch form: ``module.json`` (what builds the module) beside ``weights.safetensors``."""

from __future__ import annotations

from pathlib import Path

from ..core import TorchPayload, dumps, loads
from ..core.errors import ModelNotFoundError, UnsupportedModelError

__all__ = ["MODULE", "WEIGHTS", "new_payload", "read_payload", "write_payload"]

MODULE = "module.json"
WEIGHTS = "weights.safetensors"


def new_payload(scratch: Path) -> Path:
    """A new, empty folder (0700) under ``scratch`` for a torch payload."""
    folder, number = scratch / "module", 1
    while folder.exists():
        number += 1
        folder = scratch / f"module-{number}"
    folder.mkdir(parents=True, mode=0o700)
    return folder


def write_payload(folder: Path, payload: TorchPayload) -> None:
    """Write ``module.json``."""
    (folder / MODULE).write_text(dumps(payload))


def read_payload(folder: Path) -> TorchPayload:
    """What ``write_payload`` wrote. Raises ``ModelNotFoundError`` without it, ``UnsupportedModelError`` if garbled."""
    path = folder / MODULE
    try:
        return loads(TorchPayload, path.read_text())
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"{folder} holds no {MODULE}, so nothing says what builds the module") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnsupportedModelError(f"{path} cannot be read: {error}") from error
