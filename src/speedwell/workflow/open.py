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
from ..core.errors import BundleError, BundleVerificationError, EngineUnavailableError
from ..core.hardware import Hardware
from ..core.workload import Workload
from ..inputs import Transform
from .opened import Fast

__all__ = ["open", "unpack"]


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
    torch form is imported from. On another CPU than the one that measured, the bundle first checks its outputs.

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
    engine = REGISTRY.get(manifest.candidate.engine)
    available = engine.availability(hardware)
    if not available.ok:
        raise EngineUnavailableError(f"this bundle runs on {engine.name}: {available.why_not}")
    workload = manifest.workloads[0] if manifest.workloads else Workload(1, hardware.cores)
    workload = replace(workload, threads=threads or min(workload.threads, hardware.cores))
    work = scratch / "engine"
    work.mkdir()
    session = engine.compile(unpacked.model, workload, work)
    try:
        notes += _self_check(folder, session, hardware)
    except BaseException:
        session.close()
        raise
    transform = Transform.open(unpacked.preprocessing) if unpacked.preprocessing is not None else None
    return Fast(manifest, session, transform, tuple(notes))


def _self_check(folder: Path, session: Any, hardware: Hardware) -> list[str]:
    """On another CPU than the one that measured: the outputs on the probe must be what they were there."""
    evidence = read_evidence(folder)
    if evidence.record.fingerprint == hardware.fingerprint:
        return []
    if evidence.probe is None:
        return ["this bundle was measured on another CPU and has no probe to check itself with."]
    outputs = session.run(evidence.probe.inputs)
    if not evidence.probe.passes(outputs):
        worst = max(evidence.probe.differences(outputs).values())
        raise BundleVerificationError(
            f"on this CPU ({hardware.isa}) the outputs differ by {worst:.2g} of their spread from those measured "
            f"on {evidence.record.hardware.cpu} ({evidence.record.hardware.isa})",
            "Accelerate the original again on this machine.",
        )
    measured = evidence.record.hardware
    return [f"measured on {measured.cpu} ({measured.isa}); this is {hardware.cpu}: outputs agree, speed may differ."]
