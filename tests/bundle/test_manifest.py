from __future__ import annotations

from pathlib import Path

import pytest

from speedwell.bundle import BundleContents, EvidenceList, FileEntry, verify_bundle, write_bundle
from speedwell.bundle.manifest import read_evidence_list, read_manifest, record_bytes
from speedwell.core.errors import BundleVerificationError


def entries(*paths: str) -> bytes:
    return record_bytes(EvidenceList("0" * 64, tuple(FileEntry(p, 1, "0" * 64) for p in paths)))


def test_a_manifest_comes_back_and_says_nothing_of_time_or_machine(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "bundle", contents)
    manifest = verify_bundle(bundle)
    text = (bundle / "manifest.json").read_text()
    assert read_manifest(record_bytes(manifest)) == manifest
    assert record_bytes(manifest).decode() == text
    hardware = contents.evidence.record.hardware
    assert all(word not in text for word in (hardware.governor, hardware.system, "created", "timings"))
    assert manifest.artifact == contents.model.digest
    assert [f.path for f in manifest.files] == ["model/model.onnx", "preprocessing/transform.json"]


def test_names_that_differ_only_in_case_are_refused() -> None:
    with pytest.raises(BundleVerificationError, match="twice"):
        read_evidence_list(entries("evidence/A", "evidence/a"))


@pytest.mark.parametrize(
    "path", ["evidence/../x", "model/x", "evidence", "evidence/files.json", "evidence/a\x00b", "evidence/é"]
)
def test_evidence_lists_only_what_lies_in_its_folder(path: str) -> None:
    with pytest.raises(BundleVerificationError, match="lists"):
        read_evidence_list(entries(path))


def test_too_many_files_and_false_hashes_are_refused() -> None:
    with pytest.raises(BundleVerificationError, match="at most"):
        read_evidence_list(entries(*(f"evidence/{i}" for i in range(1001))))
    for size, sha in ((-1, "0" * 64), (1, "0" * 63), (1, "G" * 64)):
        data = record_bytes(EvidenceList("0" * 64, (FileEntry("evidence/a", size, sha),)))
        with pytest.raises(BundleVerificationError, match="size or hash"):
            read_evidence_list(data)
