"""``explain plan``: the native engine's plan of a network, operator by operator, with estimated and measured time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ModelNotFoundError, UnsupportedModelError, UsageError
from ..core.hardware import Hardware

if TYPE_CHECKING:
    from ..native import Explanation

__all__ = ["MOST_THREADS", "explain_plan"]

MOST_THREADS = 64
KINDS = """explain plan opens
  an ONNX file      model.onnx
  a plan            the folder with plan.json and weights.safetensors
  a bundle          one that was won by the native engine"""


def explain_plan(
    path: str | Path,
    shapes: Mapping[str, Sequence[int]] | None = None,
    isa: str = "",
    threads: int = 0,
    key: str | Path | None = None,
    unsigned: bool = False,
) -> Explanation:
    """The plan of ``path``, for inputs of ``shapes`` (by name; free sizes that are left out are chosen).

    ``isa``: the kernels to use, "" for the best here. ``threads`` 0: every core that this process may use. ``key`` and
    ``unsigned``: as for ``speedwell.open``, where ``path`` is a bundle.
    Raises ``EngineUnavailableError`` where the engine is not built, ``ModelNotFoundError`` or ``UnsupportedModelError``
    for what is none of the three, ``UnsupportedError`` with the names of operators that the engine lacks,
    ``InputMismatchError`` for shapes that do not fit, and what opening the bundle or the plan raises.
    """
    from ..native import explain, find_plan, lower, supported_isas
    from ..native.engine import engine

    engine()
    if isa and isa not in supported_isas():
        raise UsageError(f"isa is {isa!r}", f"This CPU runs: {', '.join(supported_isas())}")
    if not 0 <= threads <= MOST_THREADS:
        raise UsageError(f"threads is {threads}", f"Say 1 to {MOST_THREADS}, or 0 for every core.")
    threads = threads or min(Hardware.here().cores, MOST_THREADS)
    path = Path(path).expanduser()
    if path.is_dir() and (path / "plan.json").is_file():
        return explain(path, shapes, isa, threads, str(path))
    with tempfile.TemporaryDirectory(prefix="speedwell-") as scratch:
        onnx, notes = _onnx_of(path, Path(scratch), key, unsigned)
        if (kept := find_plan(onnx)) is not None:
            return explain(kept, shapes, isa, threads, f"{path}, the plan that it carries", notes=notes)
        began = time.perf_counter()
        lower(onnx, folder := Path(scratch) / "plan")
        seconds = time.perf_counter() - began
        return explain(folder, shapes, isa, threads, str(path), seconds, notes)


def _onnx_of(path: Path, scratch: Path, key: str | Path | None, unsigned: bool) -> tuple[Path, tuple[str, ...]]:
    """The ONNX file of a file or a bundle, checked, under ``scratch``; and what the user should know of it."""
    from ..sources import load_model
    from .open import unpack

    if not path.exists():
        raise ModelNotFoundError(f"there is nothing at {path}", KINDS)
    if path.is_file():
        if path.suffix.lower() != ".onnx":
            raise UnsupportedModelError(f"{path} is no ONNX file", KINDS)
        return load_model(str(path), None, scratch).payload, ()
    if not (path / "manifest.json").is_file():
        raise UnsupportedModelError(f"{path} is neither a plan nor a bundle", KINDS)
    unpacked, notes = unpack(path, scratch, key, unsigned)
    manifest = unpacked.manifest
    if manifest.form != "onnx" or manifest.candidate.engine != "native":
        fix = f"Its model on the native engine: speedwell explain plan {path / manifest.payload}"
        raise UnsupportedModelError(
            f"{path} runs on {manifest.candidate.engine}, which has no plan", fix if manifest.form == "onnx" else ""
        )
    return unpacked.model.payload, tuple(notes)
