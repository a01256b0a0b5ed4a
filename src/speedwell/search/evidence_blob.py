"""Per-sample evidence as one compressed npz blob: small on disk, read without pickle."""

from __future__ import annotations

import functools
import io
import zipfile

import numpy as np

from speedwell.core import Evidence

__all__ = ["pack", "unpack"]


def pack(evidence: Evidence) -> bytes:
    """npz bytes; ``unpack`` gives the same arrays back, bit by bit."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, kind=np.array(evidence.kind), **evidence.arrays(), allow_pickle=False)
    return buffer.getvalue()


@functools.lru_cache(maxsize=64)
def unpack(blob: bytes) -> Evidence:
    """Raises ``ValueError`` where ``blob`` is not what ``pack`` wrote. The last ones are kept: a search reads every
    trial again at each step, and the matches of thousands of images take a while to unpack.
    """
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
            return Evidence.of_arrays(str(arrays["kind"]), {n: arrays[n] for n in arrays.files if n != "kind"})
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, AttributeError, TypeError) as error:
        raise ValueError(f"this is no evidence blob: {error}") from error
