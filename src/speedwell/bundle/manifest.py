"""The manifest: what a bundle is, and the size and sha256 of every file in it.

``manifest.json`` is the bundle's core: equal inputs give equal bytes, so it holds no time, no measurement and nothing
of the machine. Evidence (which does) has a list of its own, ``evidence/files.json``, tied to this core by its hash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from speedwell.core import Candidate, Form, Promise, Signature, Workload, encode
from speedwell.core.errors import BundleVerificationError
from speedwell.core.record import SCHEMA

from .layout import EVIDENCE, EVIDENCE_LIST, MANIFEST, MAX_FILES, MODEL, MODULE, ONNX, PREPROCESSING
from .typed import loads_checked

__all__ = ["EvidenceList", "FileEntry", "Manifest", "read_evidence_list", "read_manifest", "record_bytes"]

_HASH = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class FileEntry:
    """``path``: relative, with "/" between its parts. ``size`` in bytes."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """``files``: every file of model/ and preprocessing/, by path. ``payload``: "model/model.onnx" or "model".

    ``original`` and ``artifact``: content hashes of the original and of the product as it was measured (before local
    paths were taken out of it). ``origin``: "onnx", "factory", "hf" or "timm", with ``reference`` ("module:callable";
    of a path its last part) and the ``versions`` that build a torch form. ``confirmed`` False: best so far, not
    certified. ``answer``: how outputs become an answer, where the task's default is not meant (threshold, output).
    """

    speedwell: str
    files: tuple[FileEntry, ...]
    form: Form
    payload: str
    traits: tuple[str, ...]
    signature: Signature
    candidate: Candidate
    task: str
    classes: tuple[str, ...]
    promise: Promise
    workloads: tuple[Workload, ...]
    original: str
    artifact: str
    origin: str
    reference: str
    confirmed: bool
    versions: Mapping[str, str] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvidenceList:
    """The files under evidence/ except this list, and the sha256 of the manifest they belong to."""

    manifest: str
    files: tuple[FileEntry, ...]


def record_bytes(record: Any) -> bytes:
    """Readable, deterministic JSON: one byte string per record."""
    body = {"schema": SCHEMA, "record": encode(record)}
    return (json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_manifest(data: bytes) -> Manifest:
    """Parse and check. Raises ``BundleVerificationError``."""
    manifest: Manifest = _read(Manifest, data, MANIFEST)
    _check_files(manifest.files, (MODEL, PREPROCESSING), MANIFEST)
    paths = {f.path for f in manifest.files}
    if manifest.form == "onnx":
        sound = manifest.payload == ONNX and ONNX in paths
    else:
        sound = manifest.payload == MODEL and f"{MODEL}/{MODULE}" in paths
    if not sound:
        raise BundleVerificationError(f"{MANIFEST}: the payload {manifest.payload!r} is not among the files")
    return manifest


def read_evidence_list(data: bytes) -> EvidenceList:
    """Parse and check. Raises ``BundleVerificationError``."""
    listed: EvidenceList = _read(EvidenceList, data, EVIDENCE_LIST)
    _check_files(listed.files, (EVIDENCE,), EVIDENCE_LIST)
    return listed


def _read(kind: Any, data: bytes, name: str) -> Any:
    try:
        return loads_checked(kind, data.decode())
    except ValueError as error:
        raise BundleVerificationError(f"{name} cannot be read: {error}") from error


def _check_files(files: Sequence[FileEntry], folders: tuple[str, ...], name: str) -> None:
    if len(files) > MAX_FILES:
        raise BundleVerificationError(f"{name} lists {len(files):,} files; at most {MAX_FILES:,} are read")
    seen: set[str] = set()
    for entry in files:
        parts = entry.path.split("/")
        if len(parts) < 2 or parts[0] not in folders or not all(_PART.fullmatch(p) for p in parts):
            raise BundleVerificationError(
                f"{name} lists {entry.path!r}, which is no path inside {' or '.join(folders)}"
            )
        if entry.path == EVIDENCE_LIST:
            raise BundleVerificationError(f"{name} lists {entry.path!r}, which it must not")
        if entry.path.lower() in seen:
            raise BundleVerificationError(f"{name} lists {entry.path!r} twice (upper and lower case are one)")
        if entry.size < 0 or not _HASH.fullmatch(entry.sha256):
            raise BundleVerificationError(f"{name}: the size or hash of {entry.path!r} is no size or hash")
        seen.add(entry.path.lower())
