"""Is a folder the bundle that its manifest says, and nothing else? Checked before anything in it is loaded."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from speedwell.core.errors import BundleVerificationError

from .files import open_plain
from .layout import (
    EVIDENCE,
    EVIDENCE_LIST,
    MANIFEST,
    MAX_DEPTH,
    MAX_FILES,
    MAX_RECORD_BYTES,
    MODEL,
    PREPROCESSING,
    SIGNATURE,
)
from .manifest import FileEntry, Manifest, read_evidence_list, read_manifest

__all__ = ["Found", "read_capped", "verify_bundle", "walk_bundle"]

_FIX = "Get the bundle again from where it was made; do not use this copy."


@dataclass(frozen=True)
class Found:
    """What lies in the folder: the size of each file by relative path, and every folder inside."""

    sizes: dict[str, int]
    folders: frozenset[str]


def verify_bundle(folder: Path) -> Manifest:
    """The manifest, once every file is exactly as it and the evidence's list say.

    Holds when this returns: no links, special files, programs or empty folders; every listed file is there with its
    size and sha256, and no other file but the signature; the evidence belongs to this manifest. Says nothing of who
    made it: that is ``trust_bundle``. Raises ``BundleVerificationError`` that names the file.
    """
    found = walk_bundle(folder)
    manifest_data = read_capped(folder, MANIFEST, found)
    manifest = read_manifest(manifest_data)
    listed = read_evidence_list(read_capped(folder, EVIDENCE_LIST, found))
    if listed.manifest != hashlib.sha256(manifest_data).hexdigest():
        raise BundleVerificationError(f"{EVIDENCE_LIST} belongs to another manifest than {MANIFEST}", _FIX)
    entries = (*manifest.files, *listed.files)
    _check_names(entries, found)
    for entry in entries:
        if found.sizes[entry.path] != entry.size:
            raise BundleVerificationError(
                f"{entry.path} has {found.sizes[entry.path]:,} bytes, the manifest says {entry.size:,}", _FIX
            )
    for entry in entries:
        with _opened(folder, entry.path) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                raise BundleVerificationError(f"{entry.path} is not what the manifest says (sha256 differs)", _FIX)
    return manifest


def walk_bundle(folder: Path) -> Found:
    """Look at every name without following or opening anything. Raises ``BundleVerificationError`` for what no
    bundle holds: links (symbolic or hard), special files, programs, too many files, too deep folders.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise BundleVerificationError(f"{folder} is no bundle: it is not a folder", "Name the folder of a bundle.")
    sizes: dict[str, int] = {}
    folders: set[str] = set()
    programs: set[str] = set()
    try:
        _walk(folder, "", sizes, folders, programs)
    except OSError as error:
        raise BundleVerificationError(f"{folder} cannot be read: {error.strerror or error}") from error
    if MANIFEST not in sizes:
        raise BundleVerificationError(f"{folder} is no bundle: it has no {MANIFEST}", "Name the folder of a bundle.")
    # Where every file is marked, the file system keeps no modes (a Windows disk under WSL): it says nothing then.
    if programs and programs != set(sizes):
        raise BundleVerificationError(
            f"{min(programs)} is marked as a program; a bundle holds none",
            "If a copy did this: chmod -R a-x,a+X BUNDLE",
        )
    return Found(sizes, frozenset(folders))


def read_capped(folder: Path, path: str, found: Found, limit: int = MAX_RECORD_BYTES) -> bytes:
    """A file of the bundle, at most ``limit`` bytes. Raises ``BundleVerificationError``."""
    if path not in found.sizes:
        raise BundleVerificationError(f"{path} is missing from the bundle", _FIX)
    with _opened(folder, path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise BundleVerificationError(f"{path} has more than {limit:,} bytes", _FIX)
    return data


def _walk(folder: Path, prefix: str, sizes: dict[str, int], folders: set[str], programs: set[str]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                if path.count("/") + 1 >= MAX_DEPTH:
                    raise BundleVerificationError(f"{path} lies deeper than a bundle goes ({MAX_DEPTH} levels)", _FIX)
                folders.add(path)
                _walk(Path(entry.path), path + "/", sizes, folders, programs)
            elif not stat.S_ISREG(info.st_mode):
                raise BundleVerificationError(f"{path} is a link or a special file; a bundle holds plain files", _FIX)
            elif info.st_nlink > 1:
                raise BundleVerificationError(f"{path} is a hard link; copy the bundle instead of linking it", _FIX)
            elif info.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX):
                raise BundleVerificationError(f"{path} has a special mode ({stat.filemode(info.st_mode)})", _FIX)
            else:
                sizes[path] = info.st_size
                if info.st_mode & 0o111:
                    programs.add(path)
            if len(sizes) + len(folders) > MAX_FILES:
                raise BundleVerificationError(f"the bundle holds more than {MAX_FILES:,} files", _FIX)


def _check_names(entries: Sequence[FileEntry], found: Found) -> None:
    listed = {e.path for e in entries}
    expected = listed | {MANIFEST, EVIDENCE_LIST}
    if missing := sorted(expected - set(found.sizes)):
        raise BundleVerificationError(f"{missing[0]} is missing from the bundle", _FIX)
    if foreign := sorted(set(found.sizes) - expected - {SIGNATURE}):
        raise BundleVerificationError(f"{foreign[0]} is not in the manifest", _FIX)
    if foreign := sorted(found.folders - _parents(listed) - {MODEL, PREPROCESSING, EVIDENCE}):
        raise BundleVerificationError(f"the folder {foreign[0]} is not in the manifest", _FIX)


def _parents(paths: Iterable[str]) -> set[str]:
    return {"/".join(parts[:i]) for p in paths for parts in [p.split("/")] for i in range(1, len(parts))}


def _opened(folder: Path, path: str) -> BufferedReader:
    try:
        return open_plain(folder / path)
    except OSError as error:
        raise BundleVerificationError(f"{path} cannot be read: {error.strerror or error}", _FIX) from error
