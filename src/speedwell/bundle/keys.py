"""The user's signing key: made once, kept readable by the user alone; and the public keys that are trusted here."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from speedwell.core.errors import BundleSignatureError, OutputError

__all__ = ["SigningKey", "fingerprint", "home", "own_key", "trusted_keys"]

_PRIVATE = "signing.key"
_PUBLIC = "signing.pub"
_TRUSTED = "trusted"


@dataclass(frozen=True)
class SigningKey:
    """Paths of a private key (PEM, EC P-256) and of its public half. ``fingerprint``: sha256 of the public PEM."""

    private: Path
    public: Path

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)


def home() -> Path:
    """Where keys live: $SPEEDWELL_HOME, else $XDG_CONFIG_HOME/speedwell, else ~/.config/speedwell. May not exist."""
    if own := os.environ.get("SPEEDWELL_HOME"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "speedwell"


def own_key(folder: Path | None = None) -> SigningKey:
    """The user's key in ``folder`` (default ``home()``), made at first use: the private half has mode 0600 from its
    first byte. Two first runs at once end with one key.

    Raises ``OutputError`` where it cannot be kept, ``BundleSignatureError`` where others can read the private half.
    """
    folder = folder or home()
    key = SigningKey(folder / _PRIVATE, folder / _PUBLIC)
    try:
        if not key.private.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _create(key.private)
        mode = stat.S_IMODE(key.private.stat().st_mode)
        if mode & 0o077:
            raise BundleSignatureError(
                f"the signing key {key.private} can be read by others (mode {mode:04o})",
                f"chmod 600 {key.private}    or, if others may have copied it, remove it: a new one is made",
            )
        _write_public(key)
    except OSError as error:
        raise OutputError(
            f"cannot keep the signing key in {folder}: {error.strerror or error}",
            "Name a folder that can be written: export SPEEDWELL_HOME=DIR",
        ) from error
    return key


def trusted_keys(folder: Path | None = None) -> tuple[Path, ...]:
    """Public keys whose bundles open without being named: the user's own, and every ``trusted/*.pub`` beside it."""
    folder = folder or home()
    own = folder / _PUBLIC
    return (*([own] if own.is_file() else []), *sorted((folder / _TRUSTED).glob("*.pub")))


def fingerprint(public: Path) -> str:
    """sha256 (hex) of the public key in the file, however it is wrapped there. Raises ``BundleSignatureError``."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        key = load_pem_public_key(public.read_bytes())
    except OSError as error:
        raise BundleSignatureError(f"cannot read the key {public}: {error.strerror or error}") from error
    except Exception as error:  # cryptography raises its own, ValueError and more for what is no key
        raise BundleSignatureError(
            f"{public} is no public key: {error}", "Give a PEM file that starts with -----BEGIN PUBLIC KEY-----"
        ) from error
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(pem).hexdigest()


def _create(private: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor, name = tempfile.mkstemp(prefix=".key.", dir=private.parent)  # mkstemp: 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another first run was quicker: its key is the key
            os.link(name, private)
    finally:
        os.unlink(name)


def _write_public(key: SigningKey) -> None:
    """Write the public half where it is missing or another's."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        private = load_pem_private_key(key.private.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise BundleSignatureError(
            f"the signing key {key.private} cannot be read: {error}", "Remove it; a new one is made."
        ) from error
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if key.public.is_file() and key.public.read_bytes() == pem:
        return
    descriptor, name = tempfile.mkstemp(prefix=".pub.", dir=key.public.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        os.fchmod(file.fileno(), 0o644)
    os.replace(name, key.public)
