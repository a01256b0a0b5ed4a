"""A torch state dict (``.pth``, what people have) to safetensors: ``weights_only``, with caps, in a child process."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core import try_import
from ..core.errors import UnsafeModelError, UnsupportedModelError
from .refuse import refuse_unsafe
from .weights import save_tensors

__all__ = ["MAX_BYTES", "NESTS", "WRAPPERS", "convert_weights", "state_of"]

MAX_BYTES = 16 << 30
"""Weights beyond this are refused: Speedwell works on one machine's CPU."""
NESTS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params")
"""Where checkpoints keep the weights, the likeliest first."""
WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put in front of every name."""


def convert_weights(path: Path, out: Path) -> Path:
    """Read a torch state dict with ``weights_only`` and write its tensors to ``out`` as safetensors.

    A checkpoint that keeps the weights under "state_dict", "model", ... is opened there; the wrappers' prefixes
    are taken off. Run it in a child process (``workflow`` does). Raises ``UnsafeModelError`` for anything that
    would need code to open, ``UnsupportedModelError`` for what holds no weights or is too large.
    """
    refuse_unsafe(path, role="weights")
    _cap(path)
    torch = try_import("torch")
    if path.suffix.lower() == ".safetensors":
        from .weights import read_safetensors

        loaded: Any = read_safetensors(path)
    else:
        try:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            reason = str(error).splitlines()[0].strip()
            raise UnsafeModelError(
                f"cannot open {path}: it holds more than tensors, and opening it can run code ({reason}).",
                'Save the weights alone, where you trust it:   torch.save(model.state_dict(), "weights.pth")',
            ) from error
        except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise UnsupportedModelError(f"cannot open {path}: torch cannot read it ({_first_line(error)}).") from error
    out.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(state_of(loaded, path), out)
    return out


def state_of(loaded: Any, path: Path) -> dict[str, Any]:
    """The tensors by name in what a checkpoint holds. Raises ``UnsupportedModelError`` where there are none."""
    found = _find(loaded)
    if not found:
        keys = f" (its keys: {', '.join(map(str, list(loaded)[:8]))})" if isinstance(loaded, Mapping) else ""
        raise UnsupportedModelError(
            f"{path} holds no state dict, but a {type(loaded).__name__}{keys}",
            'Save the weights alone:   torch.save(model.state_dict(), "weights.pth")',
        )
    state = {str(name): value for name, value in found.items()}
    while (wrapper := next((w for w in WRAPPERS if all(n.startswith(w) for n in state)), None)) is not None:
        state = {name[len(wrapper) :]: value for name, value in state.items()}
    return state


def _find(loaded: Any, depth: int = 0) -> dict[Any, Any]:
    import torch

    if not isinstance(loaded, Mapping) or depth > 3:
        return {}
    for nest in NESTS:
        if isinstance(loaded.get(nest), Mapping) and (inside := _find(loaded[nest], depth + 1)):
            return inside
    own = {k: v for k, v in loaded.items() if isinstance(v, torch.Tensor)}
    if own:
        return own
    inner = [found for v in loaded.values() if (found := _find(v, depth + 1))]
    return inner[0] if len(inner) == 1 else {}


def _cap(path: Path) -> None:
    size = path.stat().st_size
    whole = size
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise UnsupportedModelError(f"cannot open {path}: its archive is damaged ({error}).") from error
        whole = sum(e.file_size for e in entries)
        if len({e.filename for e in entries}) != len(entries):
            raise UnsafeModelError(f"cannot open {path}: its archive holds a name twice.", "Save the weights again.")
        # torch stores its tensors uncompressed, so an archive that swells was not written by torch
        if whole > 2 * size + (1 << 20):
            raise UnsafeModelError(
                f"cannot open {path}: {size:,} bytes would unpack to {whole:,}.",
                'Save the weights with torch.save(model.state_dict(), "weights.pth").',
            )
    if whole > MAX_BYTES:
        raise UnsupportedModelError(f"cannot open {path}: {whole:,} bytes, the limit is {MAX_BYTES:,}.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
