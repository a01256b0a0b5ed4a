"""Per-sample evidence as one compressed npz blob: small on disk, read without pickle."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from speedwell.core import Evidence

__all__ = ["pack", "unpack"]


def pack(evidence: Evidence) -> bytes:
    """npz bytes; ``unpack`` gives the same arrays back, bit by bit."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, kind=np.array(evidence.kind), scores=evidence.scores, answers=evidence.answers, allow_pickle=False
    )
    return buffer.getvalue()


def unpack(blob: bytes) -> Evidence:
    """Raises ``ValueError`` where ``blob`` is not what ``pack`` wrote."""
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
            kind = str(arrays["kind"])
            if kind not in ("binary", "score"):
                raise ValueError(f"evidence of the unknown kind {kind!r}")
            return Evidence("binary" if kind == "binary" else "score", arrays["scores"], arrays["answers"])
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, AttributeError, TypeError) as error:
        raise ValueError(f"this is no evidence blob: {error}") from error
