"""``Secret``: the key that every random choice of a private training is drawn from, each by the name of its place.

Differential privacy is a statement about noise that nobody can guess. torch's CPU generator keeps 32 bits of a seed,
so whoever knows all but one sample can try every seed; here bits are those of AES-256 in counter mode under 256 bits
from the operating system. They are a function of the key and the place (purpose, step, ...), so a resumed run draws
what the uninterrupted one would have: a step that is computed again gives the same answer, which tells nothing more.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from ...core.atomic import write_atomic
from ...core.errors import PrivacyError, ResumeError

__all__ = ["Secret"]

BYTES = 32
SPENT = b"spent\n"


class Secret:
    """``key``: 32 bytes, or None of a training that is over, from which nothing can be drawn any more."""

    def __init__(self, key: bytes | None) -> None:
        if key is not None and len(key) != BYTES:
            raise PrivacyError(f"the key has {len(key)} bytes", f"It has {BYTES}.")
        self._key = key

    @classmethod
    def of_seed(cls, seed: int) -> Secret:
        """A key that whoever knows the seed can make: for tests and comparisons, no secret."""
        return cls(hashlib.blake2b(f"speedwell private {seed}".encode(), digest_size=BYTES).digest())

    @classmethod
    def open(cls, path: Path) -> Secret:
        """The key kept in ``path``, made by the operating system where there is none; readable by its owner alone.

        Raises ``ResumeError`` where the file holds something else, ``OutputError`` where it cannot be written.
        """
        if not path.exists():
            write_atomic(path, os.urandom(BYTES))  # its temporary file, and so the file, has mode 0600
        held = path.read_bytes()
        if held != SPENT and len(held) != BYTES:
            raise ResumeError(f"{path} holds {len(held)} bytes, which are no key", "Start a new run.")
        return cls(None if held == SPENT else held)

    @staticmethod
    def forget(path: Path) -> None:
        """After a training: with the key the noise could be taken off its weights again."""
        if path.exists():
            with path.open("r+b") as file:  # a new file alone would leave the key in the old one's blocks
                file.write(bytes(BYTES))
                file.flush()
                os.fsync(file.fileno())
            write_atomic(path, SPENT)

    @property
    def spent(self) -> bool:
        return self._key is None

    @property
    def name(self) -> str:
        """What tells one key from another without telling the key; "" of one that is spent."""
        return "" if self._key is None else self._under("name").hex()[:16]

    def bits(self, count: int, purpose: str, *place: int) -> np.ndarray:
        """uint64 [count]."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        # a key of its own for each place, so no two places share a counter
        stream = Cipher(algorithms.AES(self._under(purpose, *place)), modes.CTR(bytes(16))).encryptor()
        return np.frombuffer(stream.update(bytes(8 * count)), np.uint64)

    def uniform(self, count: int, purpose: str, *place: int) -> np.ndarray:
        """float64 [count] in [0, 1), multiples of 2^-53."""
        return (self.bits(count, purpose, *place) >> np.uint64(11)) * 2.0**-53

    def normal(self, count: int, purpose: str, *place: int) -> np.ndarray:
        """float64 [count], standard normal (Box and Muller 1958). The first uniform has 64 bits, so tails end at 9.4
        standard deviations (a mass of 1e-20), not at the 6 that a float32 would allow.
        """
        half = -(-count // 2)
        raw = self.bits(2 * half, purpose, *place)
        radius = np.sqrt(-2 * np.log((raw[:half] + 0.5) * 2.0**-64))
        angle = (raw[half:] >> np.uint64(11)) * (2 * np.pi * 2.0**-53)
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]

    def number(self, purpose: str, *place: int) -> int:
        """A whole number of 128 bits, for generators that are seeded."""
        return int.from_bytes(self._under(purpose, *place)[:16], "little")

    def generator(self, purpose: str, *place: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=self.number(purpose, *place)))

    def _under(self, purpose: str, *place: int) -> bytes:
        if self._key is None:
            raise PrivacyError("this training is over and its key is gone", "Start a new run to train further.")
        where = "/".join([purpose, *map(str, place)])
        return hashlib.blake2b(where.encode(), key=self._key, digest_size=BYTES).digest()
