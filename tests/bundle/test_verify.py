from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedwell.bundle import BundleContents, verify_bundle, write_bundle
from speedwell.core.errors import BundleError, BundleVerificationError

from .conftest import contents_of, onnx_model


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("verify")
    return write_bundle(root / "bundle", contents_of(onnx_model(root / "product")))


@pytest.fixture
def copy(tmp_path: Path, bundle: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "bundle"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_found(bundle: Path, data: st.DataObject) -> None:
    names = sorted(p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file())
    path = bundle / data.draw(st.sampled_from(names))
    content = path.read_bytes()
    position = data.draw(st.integers(0, 8 * len(content) - 1))
    flipped = bytearray(content)
    flipped[position // 8] ^= 1 << position % 8
    try:
        path.write_bytes(flipped)
        with pytest.raises(BundleVerificationError):
            verify_bundle(bundle)
    finally:
        path.write_bytes(content)
    verify_bundle(bundle)


@pytest.mark.parametrize("place", ["extra", "model/extra.onnx", "preprocessing/x.json", "evidence/x", ".gitignore"])
def test_an_added_file_is_named(copy: Path, place: str) -> None:
    (copy / place).write_text("x")
    with pytest.raises(BundleVerificationError, match=place):
        verify_bundle(copy)


@pytest.mark.parametrize("place", ["extra", "model/empty", ".git"])
def test_an_added_empty_folder_is_named(copy: Path, place: str) -> None:
    (copy / place).mkdir()
    with pytest.raises(BundleVerificationError, match=place):
        verify_bundle(copy)


@pytest.mark.parametrize(
    "place", ["model/model.onnx", "manifest.json", "evidence/files.json", "evidence/evidence.json"]
)
def test_a_removed_file_is_named(copy: Path, place: str) -> None:
    (copy / place).unlink()
    with pytest.raises(BundleVerificationError, match=place):
        verify_bundle(copy)


def test_a_renamed_and_a_swapped_file_are_found(copy: Path) -> None:
    (copy / "model" / "model.onnx").rename(copy / "model" / "other.onnx")
    with pytest.raises(BundleVerificationError, match=r"model\.onnx is missing"):
        verify_bundle(copy)
    (copy / "model" / "other.onnx").rename(copy / "model" / "model.onnx")
    verify_bundle(copy)
    scores, probe = copy / "evidence" / "scores.npz", copy / "evidence" / "probe.npz"
    one, other = scores.read_bytes(), probe.read_bytes()
    scores.write_bytes(other)
    probe.write_bytes(one)
    with pytest.raises(BundleVerificationError, match="npz"):
        verify_bundle(copy)


def test_evidence_of_another_bundle_is_found(tmp_path: Path, copy: Path) -> None:
    other = write_bundle(tmp_path / "other", contents_of(onnx_model(tmp_path / "product", seed=1)))
    shutil.rmtree(copy / "evidence")
    shutil.copytree(other / "evidence", copy / "evidence")
    with pytest.raises(BundleVerificationError, match="another manifest"):
        verify_bundle(copy)


def test_links_are_refused_even_to_the_right_content(tmp_path: Path, copy: Path) -> None:
    weights = copy / "model" / "model.onnx"
    moved = tmp_path / "model.onnx"
    weights.rename(moved)
    weights.symlink_to(moved)
    with pytest.raises(BundleVerificationError, match=r"model/model\.onnx is a link"):
        verify_bundle(copy)
    weights.unlink()
    os.link(moved, weights)
    with pytest.raises(BundleVerificationError, match="hard link"):
        verify_bundle(copy)
    (tmp_path / "linked").symlink_to(copy)
    with pytest.raises(BundleVerificationError, match="not a folder"):
        verify_bundle(tmp_path / "linked")


def test_pipes_and_programs_are_refused(copy: Path) -> None:
    os.mkfifo(copy / "model" / "pipe")
    with pytest.raises(BundleVerificationError, match="special file"):
        verify_bundle(copy)
    (copy / "model" / "pipe").unlink()
    (copy / "model" / "model.onnx").chmod(0o755)
    with pytest.raises(BundleVerificationError, match="program"):
        verify_bundle(copy)
    (copy / "model" / "model.onnx").chmod(0o4644)
    with pytest.raises(BundleVerificationError, match="special mode"):
        verify_bundle(copy)


def test_a_file_system_without_modes_is_no_reason_to_refuse(copy: Path) -> None:
    for path in copy.rglob("*"):
        path.chmod(0o777)
    verify_bundle(copy)


def test_a_folder_that_is_no_bundle_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleVerificationError, match=r"no manifest\.json"):
        verify_bundle(tmp_path)
    with pytest.raises(BundleVerificationError, match="not a folder"):
        verify_bundle(tmp_path / "nothing")


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "/etc/passwd",
        "model/../../x",
        "model//x",
        "model\\x",
        "model",
        "evidence/x",
        "model/.hidden",
        "C:x",
    ],
)
def test_a_manifest_that_lists_a_path_outside_is_refused(copy: Path, path: str) -> None:
    record = json.loads((copy / "manifest.json").read_text())
    record["record"]["files"].append({"path": path, "size": 1, "sha256": "0" * 64})
    (copy / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(BundleVerificationError, match="no path inside"):
        verify_bundle(copy)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        ).map(lambda value: json.dumps({"schema": 1, "record": value}).encode()),
    )
)
def test_a_garbled_manifest_is_a_typed_error(bundle: Path, content: bytes) -> None:
    path = bundle / "manifest.json"
    before = path.read_bytes()
    try:
        path.write_bytes(content)
        with pytest.raises(BundleError):
            verify_bundle(bundle)
    finally:
        path.write_bytes(before)


def test_a_deeply_nested_manifest_is_a_typed_error(copy: Path) -> None:
    (copy / "manifest.json").write_text("[" * 200_000)
    with pytest.raises(BundleVerificationError):
        verify_bundle(copy)


@pytest.mark.parametrize(
    ("field", "value"),
    [("classes", "cat"), ("confirmed", 1), ("files", [{"path": "model/model.onnx", "size": "9", "sha256": "0"}]),
     ("form", "pickle"), ("payload", "model/other.onnx"), ("promise", None), ("traits", {"a": 1})],
)  # fmt: skip
def test_a_field_of_the_wrong_type_is_a_typed_error(copy: Path, field: str, value: object) -> None:
    record = json.loads((copy / "manifest.json").read_text())
    record["record"][field] = value
    (copy / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(BundleVerificationError):
        verify_bundle(copy)


def test_a_newer_schema_says_so(copy: Path) -> None:
    record = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**record, "schema": 2}))
    with pytest.raises(BundleVerificationError, match="schema 2"):
        verify_bundle(copy)


def test_a_bundle_copied_or_moved_still_verifies(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "bundle", contents)
    moved = bundle.rename(tmp_path / "moved")
    assert verify_bundle(moved) == verify_bundle(Path(shutil.copytree(moved, tmp_path / "copy")))
