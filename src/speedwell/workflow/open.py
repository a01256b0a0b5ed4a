"""``open``: verify a bundle, then load it."""

from __future__ import annotations

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..bundle import Unpacked, read_evidence, trust_bundle, trusted_keys, unpack_bundle
from ..core.errors import BundleError, BundleVerificationError, EngineUnavailableError, UnsupportedError
from ..core.hardware import Hardware
from ..core.workload import Workload
from ..inputs import Transform
from .opened import Fast

__all__ = ["STANDS_IN", "engine_for", "open", "unpack"]

STANDS_IN = {"native": "onnxruntime"}
"""Engines that not every installation can have, to the engine that reads the same file wherever Speedwell runs."""


def open(
    bundle: str | Path,
    key: str | Path | None = None,
    unsigned: bool = False,
    threads: int = 0,
    search_path: Sequence[str] = (),
) -> Fast:
    """The bundle's model, ready to be called. Every file is verified before anything is loaded.

    ``key``: the signer's public key, where the signer is not the user; ``unsigned=True`` opens it although nobody
    vouches for it. ``threads`` 0: as measured, at most the cores there are. ``search_path``: where the factory of a
    torch form is imported from. On another CPU than the one that measured, or on an engine that stands in for the one
    it was measured on, the bundle first checks its outputs.

    Raises ``BundleError`` (not what its signer made), ``EngineUnavailableError`` (its engine is missing here).
    """
    folder = Path(bundle)
    scratch = Path(tempfile.mkdtemp(prefix="speedwell-"))
    try:
        unpacked, notes = unpack(folder, scratch, key, unsigned, search_path)
        fast = _load(folder, unpacked, scratch, threads, notes)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    weakref.finalize(fast, shutil.rmtree, scratch, True)
    for note in fast.notes:
        warnings.warn(note, stacklevel=2)
    return fast


def unpack(
    folder: Path, scratch: Path, key: str | Path | None, unsigned: bool, search_path: Sequence[str] = ()
) -> tuple[Unpacked, list[str]]:
    """Verify ``folder`` and copy what is loaded into ``scratch``; and what the user should know, in words."""
    if not folder.is_dir():
        raise BundleError(f"there is no bundle at {folder}", "Name the folder that accelerate wrote with --out.")
    trusted = [Path(key)] if key is not None else list(trusted_keys())
    manifest = trust_bundle(folder, trusted, unsigned)
    notes = [] if manifest.confirmed else [f"{folder} is not confirmed: the best so far of a search that did not end."]
    return unpack_bundle(folder, manifest, scratch, search_path), notes


def _load(folder: Path, unpacked: Unpacked, scratch: Path, threads: int, notes: list[str]) -> Fast:
    from ..engines import REGISTRY

    manifest, hardware = unpacked.manifest, Hardware.here()
    name, note = engine_for(manifest.candidate.engine, hardware)
    engine = REGISTRY.get(name)
    notes += [note] if note else []
    workload = manifest.workloads[0] if manifest.workloads else Workload(1, hardware.cores)
    workload = replace(workload, threads=threads or min(workload.threads, hardware.cores))
    work = scratch / "engine"
    work.mkdir()
    try:
        session = engine.compile(unpacked.model, workload, work)
    except UnsupportedError as error:  # an older Speedwell than the one that measured
        if (other := _other_engine(name, hardware)) is None:
            raise
        note = f"runs on {other}, at its speed: the {name} engine here cannot run this bundle ({error.what})."
        notes.append(note)
        session = REGISTRY.get(other).compile(unpacked.model, workload, work)
    try:
        notes += _self_check(folder, session, hardware, stands_in=bool(note))
    except BaseException:
        session.close()
        raise
    transform = Transform.open(unpacked.preprocessing) if unpacked.preprocessing is not None else None
    return Fast(manifest, session, transform, tuple(notes))


def engine_for(name: str, hardware: Hardware) -> tuple[str, str]:
    """The engine that runs here what was measured on engine ``name``, and what the user should know of it ("" where
    it is that engine itself). Raises ``EngineUnavailableError``.
    """
    from ..engines import REGISTRY

    available = REGISTRY.get(name).availability(hardware)
    if available.ok:
        return name, ""
    if (other := _other_engine(name, hardware)) is None:
        raise EngineUnavailableError(f"this bundle runs on {name}: {available.why_not}")
    return (
        other,
        f"runs on {other}, at its speed: the {name} engine it was measured on is not here. {available.why_not}",
    )


def _other_engine(name: str, hardware: Hardware) -> str | None:
    """The engine that stands in for ``name`` here."""
    from ..engines import REGISTRY

    other = STANDS_IN.get(name)
    return other if other is not None and REGISTRY.get(other).availability(hardware).ok else None


def _self_check(folder: Path, session: Any, hardware: Hardware, stands_in: bool = False) -> list[str]:
    """On another CPU than the one that measured, or on another engine: the outputs on the probe must be what they were
    there.
    """
    evidence = read_evidence(folder)
    same = evidence.record.fingerprint == hardware.fingerprint
    if same and not stands_in:
        return []
    if evidence.probe is None:
        return [
            f"this bundle was measured on another {'engine' if same else 'CPU'} and has no probe to check itself with."
        ]
    outputs, measured = session.run(evidence.probe.inputs), evidence.record.hardware
    if not evidence.probe.passes(outputs):
        worst = max(evidence.probe.differences(outputs).values())
        where = "on this engine" if same else f"on this CPU ({hardware.isa})"
        raise BundleVerificationError(
            f"{where} the outputs differ by {worst:.2g} of their spread from those measured "
            f"on {measured.cpu} ({measured.isa})",
            "Accelerate the original again on this machine.",
        )
    if same:
        return []
    return [f"measured on {measured.cpu} ({measured.isa}); this is {hardware.cpu}: outputs agree, speed may differ."]
