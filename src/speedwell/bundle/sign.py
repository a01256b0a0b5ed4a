"""Who made a bundle: a signature over every file in it, by model-signing in key mode (offline).

The signature lies in the bundle, the key that is trusted never does: it is the caller's.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedwell.core.digest import bytes_digest
from speedwell.core.errors import BundleSignatureError, OutputError

from .files import write_file
from .keys import SigningKey, fingerprint
from .layout import EVIDENCE_LIST, MANIFEST, SIGNATURE
from .manifest import Manifest, read_manifest
from .verify import Found, read_capped, verify_bundle, walk_bundle

__all__ = ["Signed", "sign_bundle", "signature_of", "trust_bundle", "verify_signature"]

_MAX_SIGNATURE_BYTES = 4 << 20
_SHORT = 16


@dataclass(frozen=True)
class Signed:
    """``key``: fingerprint of the key that signed. ``digests``: sha256 of each signed file, by path."""

    key: str
    digests: Mapping[str, str]


def sign_bundle(folder: Path, key: SigningKey) -> None:
    """Write the signature of every file in ``folder``, in place of one that is there. Raises ``OutputError``."""
    try:
        data = signature_of(folder, key)
        beside = folder.parent / f".{folder.name}.{os.getpid()}.signature"
        try:
            write_file(beside, data)
            os.replace(beside, folder / SIGNATURE)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot sign the bundle {folder}: {error.strerror or error}") from error


def signature_of(folder: Path, key: SigningKey) -> bytes:
    """The signature of every file in ``folder`` but the signature itself. Raises ``OSError``."""
    from model_signing import signing

    with tempfile.TemporaryDirectory() as apart:
        made = Path(apart, SIGNATURE)
        config = signing.Config()  # type: ignore[no-untyped-call]
        config.use_elliptic_key_signer(private_key=key.private).set_hashing_config(_hashing()).sign(folder, made)
        return made.read_bytes()


def verify_signature(folder: Path, trusted: Sequence[Path]) -> Signed:
    """What was signed, once one of the ``trusted`` public keys (PEM files) is found to have signed this very content.

    Raises ``BundleSignatureError``: unsigned, signed by another key, or changed since it was signed;
    ``BundleVerificationError`` for what no bundle may hold.
    """
    found = walk_bundle(folder)
    if SIGNATURE not in found.sizes:
        raise BundleSignatureError(
            f"the bundle {folder} is not signed",
            "If you trust where it comes from: speedwell.open(bundle, unsigned=True)    (command line: --unsigned)",
        )
    data = read_capped(folder, SIGNATURE, found, _MAX_SIGNATURE_BYTES)
    signer, digests = _claims(data)
    for public in trusted:
        if fingerprint(public) == signer:
            _verify(folder, data, public)
            return Signed(signer, digests)
    raise BundleSignatureError(
        f"the bundle {folder} is signed by the key {signer[:_SHORT]}…, which is not trusted here",
        'Get the maker\'s public key from the maker, then: speedwell.open(bundle, key="maker.pub")    '
        "(or unsigned=True, to open it as if it had no signature)",
    )


def trust_bundle(folder: Path, trusted: Sequence[Path], unsigned: bool = False) -> Manifest:
    """The manifest of a bundle that may be loaded: signed by a trusted key (unless ``unsigned``) and verified.

    The manifest that is returned is, byte for byte, the one that was signed; loading goes on from its hashes
    (``unpack_bundle``), so nothing that is swapped in between is used. Raises a ``BundleError``.
    """
    if unsigned:
        return verify_bundle(folder)
    signed = verify_signature(folder, trusted)
    verify_bundle(folder)
    found = walk_bundle(folder)
    _same(folder, EVIDENCE_LIST, found, signed)
    return read_manifest(_same(folder, MANIFEST, found, signed))


def _same(folder: Path, path: str, found: Found, signed: Signed) -> bytes:
    data = read_capped(folder, path, found)
    if bytes_digest(data) != signed.digests.get(path):
        raise BundleSignatureError(f"{path} is not what was signed", "Do not use this bundle; get it again.")
    return data


def _claims(data: bytes) -> tuple[str, dict[str, str]]:
    """(fingerprint of the signing key, sha256 by path) as the signature claims them: not yet believed."""
    try:
        record: Any = json.loads(data)
        hint = record["verificationMaterial"]["publicKey"]["hint"]
        statement = json.loads(base64.b64decode(record["dsseEnvelope"]["payload"], validate=True))
        digests = {str(r["name"]): str(r["digest"]) for r in statement["predicate"]["resources"]}
        if not isinstance(hint, str) or not hint:
            raise ValueError("it names no key")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleSignatureError(
            f"{SIGNATURE} is no signature: {type(error).__name__} {error}", "Do not use this bundle; get it again."
        ) from error
    return hint, digests


def _verify(folder: Path, data: bytes, public: Path) -> None:
    from model_signing import verifying

    with tempfile.TemporaryDirectory() as apart:
        signature = Path(apart, SIGNATURE)
        signature.write_bytes(data)  # the bytes whose claims were read, whatever happens to the bundle meanwhile
        config = verifying.Config()  # type: ignore[no-untyped-call]
        try:
            config.use_elliptic_key_verifier(public_key=public).set_hashing_config(_hashing()).verify(folder, signature)
        except Exception as error:  # parsers of four libraries read the signature; whatever they raise, it is not valid
            raise BundleSignatureError(
                f"the bundle {folder} is not what was signed: {error or type(error).__name__}",
                "Do not use it; get it again from where it was made.",
            ) from error


def _hashing() -> Any:
    from model_signing import hashing

    # Files of git count as well: by default they could be added unnoticed.
    config = hashing.Config()  # type: ignore[no-untyped-call]
    return config.set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)
