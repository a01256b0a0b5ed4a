from __future__ import annotations

import io

import numpy as np
import pytest

from speedwell.core import Evidence
from speedwell.core.matches import LEVELS, Matches
from speedwell.search.evidence_blob import pack, unpack


def test_unlabelled_evidence_keeps_its_empty_scores() -> None:
    back = unpack(pack(Evidence("binary", np.array([]), np.array([3, 1]))))
    assert (back.kind, len(back.scores), back.answers.tolist()) == ("binary", 0, [3, 1])


def test_matches_come_back_bit_by_bit() -> None:
    matches = Matches(
        LEVELS, np.arange(2), np.array([0, 1, 3]), np.array([0.5, 0.9, 0.1], np.float32), np.array([0, 4, 4], np.int32),
        np.array([1023, 1, 0], np.uint16), np.array([0, 2, 0], np.uint16), np.ones((3, 4), np.float32),
        np.array([0, 2, 2]), np.array([0, 4], np.int32),
    )  # fmt: skip
    evidence = Evidence("matches", np.array([0.25, 1.0]), np.zeros(0, np.int64), matches)
    back = unpack(pack(evidence))
    assert back.kind == "matches"
    for name, array in evidence.arrays().items():
        assert array.tobytes() == back.arrays()[name].tobytes(), name
    assert back.metric() == evidence.metric()


def test_a_blob_is_unpacked_once() -> None:
    blob = pack(Evidence("score", np.array([0.5, 1.0]), np.zeros(0, np.int64)))
    assert unpack(blob) is unpack(bytes(bytearray(blob)))


def test_right_and_wrong_of_many_samples_take_little_room() -> None:
    right = (np.random.default_rng(0).random(10_000) < 0.95).astype(np.float64)
    assert len(pack(Evidence("binary", right, np.zeros(10_000, np.int64)))) < 12_000


def test_what_is_no_blob_is_a_value_error() -> None:
    objects = io.BytesIO()
    np.savez(objects, kind="binary", scores=np.array([{}], dtype=object), answers=np.zeros(1))
    other = io.BytesIO()
    np.savez(other, kind="magic", scores=np.zeros(1), answers=np.zeros(1))
    for blob in (b"", b"PK\x03\x04", objects.getvalue(), other.getvalue()):
        with pytest.raises(ValueError, match=r".+"):
            unpack(blob)
