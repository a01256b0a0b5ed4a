"""Checkpoints: a folder that appears whole or not at all, holds safetensors and JSON, and is checked when read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..core.atomic import sync_folder
from ..core.errors import OutputError, ResumeError

__all__ = ["KEPT", "newest_checkpoint", "read_checkpoint", "write_checkpoint"]

SCHEMA = 1
KEPT = 2
"""The newest, and the one before it in case the newest turns out to be damaged."""
STATE, FACTS = "state.safetensors", "state.json"


def write_checkpoint(folder: Path, step: int, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> Path:
    """Write ``folder/<step>`` and remove all but the ``KEPT`` newest. After any crash the older ones are whole.

    Raises ``OutputError`` (disk full, folder gone); then nothing new is there and nothing old is lost.
    """
    from safetensors.torch import save

    target = folder / f"{step:09d}"
    part = folder / f".{target.name}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        data = save({n: t.detach().cpu().contiguous() for n, t in _apart(tensors).items()})
        digest = hashlib.sha256(data).hexdigest()
        _write(part / STATE, data)
        text = json.dumps({"schema": SCHEMA, "sha256": digest, **facts}, allow_nan=False)
        _write(part / FACTS, text.encode())
        sync_folder(part)
        if target.exists():  # the same step written twice, by a run that was resumed from before it
            shutil.rmtree(target)
        os.replace(part, target)
        sync_folder(folder)
    except OSError as error:
        raise OutputError(
            f"cannot write the checkpoint {target}: {error.strerror or error}",
            "Make room there, then go on with --resume: the checkpoint before it is whole.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part)
    for old in _finished(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def newest_checkpoint(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """(tensors, facts) of the newest whole checkpoint; None where none was written. A damaged one is passed over.

    Raises ``ResumeError`` where there are some and all are damaged.
    """
    found = _finished(folder)
    wrong = []
    for path in reversed(found):
        try:
            return read_checkpoint(path)
        except ResumeError as error:
            wrong.append(error)
    if wrong:
        raise wrong[0]
    return None


def read_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What ``write_checkpoint`` wrote. Raises ``ResumeError`` where a bit of it has changed."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        facts = json.loads((path / FACTS).read_text())
        if facts.pop("schema") != SCHEMA:
            raise ResumeError(f"{path} is of another version of Speedwell", "Resume with the version that wrote it.")
        data = (path / STATE).read_bytes()
        if hashlib.sha256(data).hexdigest() != facts.pop("sha256"):
            raise ResumeError(f"{path / STATE} is damaged: its content is not what was written")
        return load(data), facts
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ResumeError(f"the checkpoint {path} cannot be read: {error}") from error


def _finished(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and p.name.isdigit())


def _apart(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tied tensors as copies of their own: a checkpoint is loaded by name, and ties are made by the network."""
    seen: set[int] = set()
    kept = {}
    for name, value in tensors.items():
        shared = value.data_ptr() in seen and value.numel() > 0
        seen.add(value.data_ptr())
        kept[name] = value.clone() if shared else value
    return kept


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
