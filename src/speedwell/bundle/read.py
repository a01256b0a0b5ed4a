"""Read a bundle: what is hashed is what is used, copied from one descriptor into a folder of the caller's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from speedwell.core import Evidence, Model, Origin, TorchPayload, dumps
from speedwell.core.digest import bytes_digest
from speedwell.core.errors import BundleVerificationError, OutputError

from .contents import BundleEvidence, EvidenceRecord
from .files import copy_checked
from .layout import EVIDENCE_LIST, EVIDENCE_RECORD, MODULE, PREPROCESSING, PROBE, SCORES
from .manifest import Manifest, read_evidence_list
from .probe import MAX_PROBE_BYTES, Probe, load_arrays
from .typed import loads_checked
from .verify import Found, read_capped, walk_bundle

__all__ = ["Unpacked", "read_evidence", "unpack_bundle"]


@dataclass(frozen=True)
class Unpacked:
    """The parts of a bundle in the caller's folder. ``preprocessing``: for ``Transform.open``; None without."""

    manifest: Manifest
    model: Model
    preprocessing: Path | None


def unpack_bundle(folder: Path, manifest: Manifest, scratch: Path, search_path: Sequence[str] = ()) -> Unpacked:
    """Copy model and preprocessing into the existing folder ``scratch``, comparing each file with the (trusted)
    ``manifest`` as it is copied. ``search_path``: where the factory of a torch form may be imported from.

    Raises ``BundleVerificationError`` where a file is not what the manifest says, ``OutputError`` where ``scratch``
    cannot be written.
    """
    for entry in manifest.files:
        target = scratch / entry.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            same = copy_checked(folder / entry.path, target, entry.sha256)
        except FileNotFoundError as error:
            raise BundleVerificationError(f"{entry.path} is missing from the bundle") from error
        except OSError as error:
            raise OutputError(f"cannot unpack {entry.path} into {scratch}: {error.strerror or error}") from error
        if not same:
            raise BundleVerificationError(f"{entry.path} is not what the manifest says (sha256 differs)")
    payload = scratch / manifest.payload
    if manifest.form == "torch":
        _settle(payload, search_path)
    origin = Origin(manifest.origin, manifest.reference, manifest.versions, {"classes": list(manifest.classes)})
    model = Model.of(manifest.form, payload, manifest.signature, origin, manifest.traits)
    has = any(PurePath(e.path).parts[0] == PREPROCESSING for e in manifest.files)
    return Unpacked(manifest, model, scratch / PREPROCESSING if has else None)


def read_evidence(folder: Path) -> BundleEvidence:
    """The evidence of a verified bundle. Raises ``BundleVerificationError``."""
    found = walk_bundle(folder)
    hashes = {e.path: e.sha256 for e in read_evidence_list(read_capped(folder, EVIDENCE_LIST, found)).files}
    record = _listed(folder, EVIDENCE_RECORD, found, hashes)
    if record is None:
        raise BundleVerificationError(f"{EVIDENCE_RECORD} is missing from the bundle")
    try:
        parsed = loads_checked(EvidenceRecord, record.decode())
    except ValueError as error:
        raise BundleVerificationError(f"{EVIDENCE_RECORD} cannot be read: {error}") from error
    scores = _listed(folder, SCORES, found, hashes)
    probe = _listed(folder, PROBE, found, hashes)
    return BundleEvidence(parsed, _scores(scores) if scores else {}, Probe.unpack(probe) if probe else None)


def _listed(folder: Path, path: str, found: Found, hashes: dict[str, str]) -> bytes | None:
    if path not in hashes:
        return None
    data = read_capped(folder, path, found, MAX_PROBE_BYTES)
    if bytes_digest(data) != hashes[path]:
        raise BundleVerificationError(f"{path} is not what {EVIDENCE_LIST} says (sha256 differs)")
    return data


def _scores(data: bytes) -> dict[str, Evidence]:
    arrays = load_arrays(data, "scores.npz")
    made: dict[str, Evidence] = {}
    try:
        for who in sorted({n.rpartition("/")[0] for n in arrays}):
            mine = {n.rpartition("/")[2]: a for n, a in arrays.items() if n.rpartition("/")[0] == who}
            made[who] = Evidence.of_arrays(str(mine.pop("kind")), mine)
    except KeyError as error:
        raise BundleVerificationError(f"scores.npz lacks {error}") from error
    except ValueError as error:
        raise BundleVerificationError(f"scores.npz: {error}") from error
    return made


def _settle(payload: Path, search_path: Sequence[str]) -> None:
    """Give ``module.json`` the folders of this machine that it was stored without."""
    path = payload / MODULE
    try:
        module = loads_checked(TorchPayload, path.read_text())
    except ValueError as error:
        raise BundleVerificationError(f"model/{MODULE} cannot be read: {error}") from error
    if module.builder == "live":
        raise BundleVerificationError("the bundle holds a live module, which only pickle could open")
    path.write_text(dumps(replace(module, search_path=tuple(search_path))))
