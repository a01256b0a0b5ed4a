"""Write a bundle: whole under a temporary name, verified, then swapped into place in one step."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

import numpy as np

from speedwell.core import Model, encode
from speedwell.core.errors import BundleError, BundleVerificationError, OutputError

from .contents import BundleContents, BundleEvidence, EvidenceRecord
from .files import copy_file, exchange, make_folder, remove_tree, settle_tree, sync_folder, write_file
from .keys import SigningKey
from .layout import (
    EVIDENCE,
    EVIDENCE_LIST,
    EVIDENCE_RECORD,
    FOLDER_MODE,
    MANIFEST,
    MODEL,
    ONNX,
    PREPROCESSING,
    PROBE,
    SCORES,
    SIGNATURE,
)
from .manifest import EvidenceList, FileEntry, Manifest, read_manifest, record_bytes
from .payload import write_payload
from .probe import save_arrays
from .scrub import leaks, scrub
from .sign import signature_of
from .typed import decode_checked
from .verify import read_capped, verify_bundle, walk_bundle

__all__ = ["write_bundle"]

_TRANSFORM_FILES = ("transform.json", "tokenizer.json")


def write_bundle(destination: Path, contents: BundleContents, key: SigningKey | None = None) -> Path:
    """Write ``contents`` to ``destination``, signed where a ``key`` is given; returns the absolute path.

    At every moment ``destination`` holds what it held before or the whole new bundle. A bundle that is there is
    replaced; any other file or non-empty folder is not: ``OutputError``. A read-only place or a full disk raises
    ``OutputError`` and leaves nothing behind. Equal contents (evidence aside) give equal bytes in model/,
    preprocessing/ and manifest.json. ``BundleError``: the model cannot go into a bundle.
    """
    destination = destination.expanduser().absolute()
    _check_destination(destination)
    temporary: Path | None = None
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        _sweep(destination)
        temporary = Path(
            tempfile.mkdtemp(prefix=_prefix(destination, os.getpid()), suffix=".part", dir=destination.parent)
        )
        temporary.chmod(FOLDER_MODE)
        _fill(temporary, contents)
        if key is not None:
            write_file(temporary / SIGNATURE, signature_of(temporary, key))
        _sync(temporary)
        verify_bundle(temporary)
        _publish(temporary, destination)
    except OSError as error:
        raise OutputError(
            f"cannot write the bundle {destination}: {error.strerror or error}",
            "Free space there, or name another place with --out DIR.",
        ) from error
    finally:
        if temporary is not None:
            _discard(temporary)
    return destination


def _check_destination(destination: Path) -> None:
    if destination.is_symlink():
        raise OutputError(f"{destination} is a link; a bundle is not written through one", "Name the folder itself.")
    if not destination.exists():
        return
    if not destination.is_dir():
        raise OutputError(f"{destination} is a file; a bundle is a folder", "Name another place with --out DIR.")
    if any(destination.iterdir()) and not _is_bundle(destination):
        raise OutputError(
            f"{destination} holds something else than a bundle, and is not overwritten",
            "Name another place with --out DIR, or remove it yourself.",
        )


def _is_bundle(folder: Path) -> bool:
    """A bundle of ours, damaged or not, in which nobody has put anything else."""
    if not {p.name for p in folder.iterdir()} <= {MANIFEST, SIGNATURE, MODEL, PREPROCESSING, EVIDENCE}:
        return False
    try:
        read_manifest(read_capped(folder, MANIFEST, walk_bundle(folder)))
    except BundleVerificationError:
        return False
    return True


def _fill(folder: Path, contents: BundleContents) -> None:
    for name in (MODEL, PREPROCESSING, EVIDENCE):
        make_folder(folder / name)
    write_payload(contents.model, folder / MODEL)
    if contents.beside is not None:
        contents.beside(folder / (ONNX if contents.model.form == "onnx" else MODEL))
        settle_tree(folder / MODEL)
        for path in (folder / MODEL).rglob("*/*.json"):
            _refuse_leaks(json.loads(path.read_bytes()), path.relative_to(folder).as_posix())
    if contents.preprocessing is not None:
        for name in _TRANSFORM_FILES:
            if (contents.preprocessing / name).exists():
                copy_file(contents.preprocessing / name, folder / PREPROCESSING / name)
    manifest = record_bytes(_manifest(contents, tuple(_entries(folder, MODEL, PREPROCESSING))))
    write_file(folder / MANIFEST, manifest)
    _write_evidence(folder, contents.evidence)
    listed = EvidenceList(hashlib.sha256(manifest).hexdigest(), tuple(_entries(folder, EVIDENCE)))
    write_file(folder / EVIDENCE_LIST, record_bytes(listed))


def _manifest(contents: BundleContents, files: tuple[FileEntry, ...]) -> Manifest:
    model = contents.model
    manifest = Manifest(
        speedwell=contents.speedwell,
        files=files,
        form=model.form,
        payload=ONNX if model.form == "onnx" else MODEL,
        traits=tuple(sorted(model.traits)),
        signature=model.signature,
        candidate=contents.candidate,
        task=contents.task,
        classes=contents.classes,
        promise=contents.promise,
        workloads=contents.workloads,
        original=contents.original,
        artifact=model.digest,
        origin=model.origin.kind,
        reference=_reference(model),
        confirmed=contents.confirmed,
        versions=dict(model.origin.versions),
        answer=dict(contents.answer),
    )
    record = encode(manifest)
    _refuse_leaks({k: v for k, v in record.items() if k != "classes"}, MANIFEST)
    return manifest


def _reference(model: Model) -> str:
    """What the original was opened by, without the place where it lies here."""
    reference = model.origin.reference
    return re.split(r"[/\\]", reference.rstrip("/\\"))[-1] if model.origin.kind != "timm" else PurePath(reference).name


def _write_evidence(folder: Path, evidence: BundleEvidence) -> None:
    record = scrub(encode(evidence.record))
    _refuse_leaks(record, EVIDENCE_RECORD)
    write_file(folder / EVIDENCE_RECORD, record_bytes(decode_checked(EvidenceRecord, record)))
    arrays: dict[str, np.ndarray] = {}
    for who, scores in evidence.scores.items():
        # where things lie in a picture says something of the picture: that stays with the run
        arrays |= {f"{who}/{name}": array for name, array in scores.without_boxes().arrays().items()}
        arrays[f"{who}/kind"] = np.array(scores.kind)
    if arrays:
        write_file(folder / SCORES, _npz(arrays))
    if evidence.probe is not None:
        write_file(folder / PROBE, evidence.probe.pack())


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    save_arrays(buffer, arrays)
    return buffer.getvalue()


def _entries(folder: Path, *inside: str) -> Iterator[FileEntry]:
    for path in sorted(p for name in inside for p in (folder / name).rglob("*") if p.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield FileEntry(path.relative_to(folder).as_posix(), path.stat().st_size, digest)


def _refuse_leaks(value: object, what: str) -> None:
    if found := next(leaks(value), None):
        raise BundleError(
            f"{what} would name something of this machine: {found[:200]!r}",
            "A bundle is made to be given away; take the name out of the arguments or the model.",
        )


def _sync(folder: Path) -> None:
    for inner in (p for p in folder.rglob("*") if p.is_dir()):
        sync_folder(inner)
    sync_folder(folder)


def _publish(temporary: Path, destination: Path) -> None:
    """One step, after which ``destination`` is the new bundle and ``temporary`` what it replaces (or nothing)."""
    if not destination.exists():
        os.rename(temporary, destination)
    elif not exchange(temporary, destination):
        _swap_in_two(temporary, destination)
    sync_folder(destination.parent)


def _swap_in_two(temporary: Path, destination: Path) -> None:
    """Where the system cannot exchange two names: the old one aside, the new one in, and back if that fails."""
    aside = temporary.with_suffix(".old")
    os.rename(destination, aside)
    try:
        os.rename(temporary, destination)
    except OSError:
        os.rename(aside, destination)
        raise
    remove_tree(aside)


def _discard(temporary: Path) -> None:
    try:
        remove_tree(temporary)
    except OSError as error:
        raise OutputError(
            f"cannot remove {temporary}, which writing the bundle left: {error.strerror or error}",
            f"rm -r {temporary}",
        ) from error


def _prefix(destination: Path, pid: int) -> str:
    return f".{destination.name}.{pid}."


def _sweep(destination: Path) -> None:
    """Remove what writers that were killed left beside ``destination``."""
    pattern = re.compile(rf"\.{re.escape(destination.name)}\.(\d+)\..*\.part")
    for path in destination.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match and not _alive(int(match[1])):
            remove_tree(path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # a number that no process can have
        return False
    except PermissionError:
        return True
    return True
