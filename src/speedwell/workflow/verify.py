"""``verify``: is this bundle what its signer made?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..bundle import trusted_keys, verify_bundle, verify_signature
from ..core.errors import BundleError

__all__ = ["Verified", "verify"]


@dataclass(frozen=True)
class Verified:
    """``files`` were hashed and are what the manifest says; ``key``: fingerprint of the key that signed."""

    bundle: str
    files: int
    key: str
    confirmed: bool
    engine: str

    @property
    def text(self) -> str:
        """The same for a person."""
        state = "confirmed" if self.confirmed else "not confirmed (best so far of a search)"
        return f"{self.bundle}: {self.files} files as signed by {self.key[:16]}…, {state}, runs on {self.engine}"


def verify(bundle: str | Path, key: str | Path | None = None) -> Verified:
    """Check every file against the manifest, and the signature against ``key`` (default: the user's own and those
    trusted here). Raises ``BundleVerificationError`` or ``BundleSignatureError``; loads nothing.
    """
    folder = Path(bundle)
    if not folder.is_dir():
        raise BundleError(f"there is no bundle at {folder}", "Name the folder that accelerate wrote with --out.")
    signed = verify_signature(folder, [Path(key)] if key is not None else list(trusted_keys()))
    manifest = verify_bundle(folder)
    return Verified(str(folder), len(manifest.files), signed.key, manifest.confirmed, manifest.candidate.engine)
