"""A plan kept beside the ONNX file that it was lowered from, so that another process need not lower it again.

``model.onnx`` -> ``model.onnx.plan/`` with plan.json, weights.safetensors and lowered.json, which says what they belong
to. Nothing in it is taken on trust: it is used only where every hash in lowered.json is that of what lies there, and
the executor checks the plan as it checks any other. One plan for each file, so a folder does not grow.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..core.digest import bytes_digest, path_digest
from ..core.errors import OutputError
from .lowering import LowerOptions, lower
from .plan import VERSION
from .write import PLAN, WEIGHTS

__all__ = ["RECORD", "find_plan", "keep_plan", "kept_beside"]

RECORD = "lowered.json"
FORMAT = "speedwell-lowered"
MOST_RECORD = 1 << 16
"""Bytes; ours have about 600."""
TRIES = 3
USUAL = LowerOptions()


def kept_beside(onnx: Path) -> Path:
    """Where the plan of ``onnx`` is kept."""
    return onnx.with_name(onnx.name + ".plan")


def find_plan(onnx: Path, options: LowerOptions = USUAL, *, this_code: bool = False) -> Path | None:
    """The folder of the plan that is kept beside ``onnx``; None where there is none, where it belongs to another file,
    version of plans or ``options``, or where a file of it has changed. ``this_code``: also where another state of the
    lowering made it.
    """
    folder = kept_beside(onnx)
    try:
        with (folder / RECORD).open("rb") as file:
            record = json.loads(file.read(MOST_RECORD))
        wanted = _belongs_to(onnx, options)
        if not isinstance(record, dict) or any(record.get(key) != value for key, value in wanted.items()):
            return None
        if this_code and record.get("code") != _code():
            return None
        return folder if record.get("files") == _files(folder) else None
    except (OSError, ValueError, RecursionError):
        return None


def keep_plan(onnx: Path, options: LowerOptions = USUAL) -> Path:
    """``find_plan``, and where it finds none that this code made: lower ``onnx`` and keep the plan. It appears whole or
    not at all; of two processes that lower at once, one is kept. Raises what ``lower`` raises, ``OutputError`` where
    nothing can be written beside ``onnx``.
    """
    if (found := find_plan(onnx, options, this_code=True)) is not None:
        return found
    folder = kept_beside(onnx)
    try:
        _sweep(folder)
        made = Path(tempfile.mkdtemp(prefix=_prefix(folder, os.getpid()), suffix=".part", dir=folder.parent))
        try:
            lower(onnx, made, options)
            record = {**_belongs_to(onnx, options), "code": _code(), "files": _files(made)}
            (made / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
            _publish(made, folder, onnx, options)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"cannot keep a plan in {folder}: {error.strerror or error}", "Free space there, or let it be written to."
        ) from error
    return folder


def _publish(made: Path, folder: Path, onnx: Path, options: LowerOptions) -> None:
    """Rename ``made`` to ``folder``; what lies there gives way unless it is as good."""
    for _ in range(TRIES):
        try:
            made.rename(folder)
            return
        except OSError:
            if not os.path.lexists(folder):
                raise
        if find_plan(onnx, options, this_code=True) is not None:
            return
        aside = Path(tempfile.mkdtemp(prefix=_prefix(folder, os.getpid()), suffix=".part", dir=folder.parent))
        try:
            folder.rename(aside / folder.name)
        except FileNotFoundError:
            continue  # another process was faster
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    raise OSError(f"others write there too, {TRIES} times")


def _belongs_to(onnx: Path, options: LowerOptions) -> Mapping[str, Any]:
    """What a record must say. Weights beyond protobuf's 2 GiB lie in a file of their own beside ``onnx``."""
    data = onnx.with_name(onnx.name + ".data")
    digests = [path_digest(onnx), *([path_digest(data)] if data.is_file() else [])]
    return {"format": FORMAT, "version": VERSION, "onnx": digests, "options": asdict(options)}


def _files(folder: Path) -> Mapping[str, str]:
    return {name: path_digest(folder / name) for name in (PLAN, WEIGHTS)}


@functools.cache
def _code() -> str:
    """Names this state of the lowering."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return bytes_digest(b"".join(path.name.encode() + b"\0" + path.read_bytes() for path in sources))


def _prefix(folder: Path, pid: int) -> str:
    return f".{folder.name}.{pid}."


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed left."""
    pattern = re.compile(rf"\.{re.escape(folder.name)}\.(\d+)\..*\.part")
    for path in folder.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match and not Path(f"/proc/{match[1]}").exists() and Path("/proc/self").exists():
            shutil.rmtree(path, ignore_errors=True)
