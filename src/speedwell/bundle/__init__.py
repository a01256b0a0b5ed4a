"""The bundle: a folder that holds the winner, proves what it is and who made it, and runs no code when opened."""

from __future__ import annotations

from .contents import BundleContents, BundleEvidence, EvidenceRecord
from .keys import SigningKey, fingerprint, home, own_key, trusted_keys
from .manifest import EvidenceList, FileEntry, Manifest
from .probe import Probe, generate_inputs
from .read import Unpacked, read_evidence, unpack_bundle
from .sign import Signed, sign_bundle, trust_bundle, verify_signature
from .verify import verify_bundle
from .write import write_bundle

__all__ = [
    "BundleContents", "BundleEvidence", "EvidenceList", "EvidenceRecord", "FileEntry", "Manifest", "Probe", "Signed",
    "SigningKey", "Unpacked", "fingerprint", "generate_inputs", "home", "own_key", "read_evidence", "sign_bundle",
    "trust_bundle", "trusted_keys", "unpack_bundle", "verify_bundle", "verify_signature", "write_bundle",
]  # fmt: skip
