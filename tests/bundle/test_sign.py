from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from speedwell.bundle import SigningKey, own_key, sign_bundle, trust_bundle, verify_signature, write_bundle
from speedwell.core.errors import BundleError, BundleSignatureError, BundleVerificationError

from .conftest import contents_of, onnx_model


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, key: SigningKey) -> Path:
    root = tmp_path_factory.mktemp("sign")
    return write_bundle(root / "bundle", contents_of(onnx_model(root / "product")), key)


@pytest.fixture
def copy(tmp_path: Path, signed: Path) -> Path:
    return Path(shutil.copytree(signed, tmp_path / "copied"))


def test_a_signed_bundle_is_trusted_under_any_name(copy: Path, key: SigningKey) -> None:
    assert verify_signature(copy, [key.public]).key == key.fingerprint
    assert trust_bundle(copy, [key.public]).task == "image-classification"


def test_the_right_key_is_found_among_several(tmp_path: Path, copy: Path, key: SigningKey) -> None:
    other = own_key(tmp_path / "other")
    assert verify_signature(copy, [other.public, key.public]).key == key.fingerprint


def test_a_foreign_key_is_refused_with_the_way_out(tmp_path: Path, copy: Path) -> None:
    other = own_key(tmp_path / "other")
    with pytest.raises(BundleSignatureError, match="not trusted here") as caught:
        trust_bundle(copy, [other.public])
    assert "key=" in caught.value.fix
    assert "unsigned=True" in caught.value.fix
    with pytest.raises(BundleSignatureError, match="not trusted here"):
        trust_bundle(copy, [])


def test_an_unsigned_bundle_opens_only_on_request(copy: Path, key: SigningKey) -> None:
    (copy / "signature.json").unlink()
    with pytest.raises(BundleSignatureError, match="not signed") as caught:
        trust_bundle(copy, [key.public])
    assert "unsigned=True" in caught.value.fix
    assert trust_bundle(copy, [], unsigned=True).confirmed


def test_a_bundle_rewritten_with_fitting_hashes_is_refused(tmp_path: Path, copy: Path, key: SigningKey) -> None:
    """The attacker's bundle verifies by itself; only the signature tells."""
    forged = write_bundle(tmp_path / "forged", contents_of(onnx_model(tmp_path / "product", seed=3)))
    shutil.copy(copy / "signature.json", forged / "signature.json")
    trust_bundle(forged, [], unsigned=True)
    with pytest.raises(BundleSignatureError, match="not what was signed"):
        trust_bundle(forged, [key.public])


@pytest.mark.parametrize("change", ["flip", "add", "add git", "remove", "link"])
def test_a_tampered_bundle_is_refused(tmp_path: Path, copy: Path, key: SigningKey, change: str) -> None:
    weights = copy / "model" / "model.onnx"
    if change == "flip":
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    elif change == "add":
        (copy / "model" / "extra").write_text("x")
    elif change == "add git":
        (copy / ".gitattributes").write_text("x")
    elif change == "remove":
        weights.unlink()
    else:
        weights.rename(tmp_path / "w")
        weights.symlink_to(tmp_path / "w")
    with pytest.raises((BundleSignatureError, BundleVerificationError)):
        trust_bundle(copy, [key.public])


@pytest.mark.parametrize("cut", [0, 1, 100, 500, -1, -40])
def test_a_truncated_signature_is_a_typed_error(copy: Path, key: SigningKey, cut: int) -> None:
    path = copy / "signature.json"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BundleSignatureError):
        verify_signature(copy, [key.public])


def test_a_forged_signature_with_the_trusted_keys_hint_is_refused(tmp_path: Path, copy: Path, key: SigningKey) -> None:
    other = own_key(tmp_path / "other")
    sign_bundle(copy, other)
    record = json.loads((copy / "signature.json").read_text())
    record["verificationMaterial"]["publicKey"]["hint"] = key.fingerprint
    (copy / "signature.json").write_text(json.dumps(record))
    with pytest.raises(BundleSignatureError, match="not what was signed"):
        verify_signature(copy, [key.public])


def test_the_payload_of_a_signature_cannot_be_exchanged(copy: Path, key: SigningKey) -> None:
    record = json.loads((copy / "signature.json").read_text())
    statement = json.loads(base64.b64decode(record["dsseEnvelope"]["payload"]))
    statement["predicate"]["serialization"]["ignore_paths"].append("model")
    record["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    (copy / "signature.json").write_text(json.dumps(record))
    (copy / "model" / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError):
        trust_bundle(copy, [key.public])


def test_signing_again_replaces_the_signature(tmp_path: Path, copy: Path, key: SigningKey) -> None:
    other = own_key(tmp_path / "other")
    sign_bundle(copy, other)
    assert trust_bundle(copy, [other.public])
    with pytest.raises(BundleSignatureError):
        trust_bundle(copy, [key.public])
    assert [p.name for p in copy.parent.iterdir() if p.name.startswith(".")] == []


def test_a_signature_names_no_path_of_this_machine(copy: Path) -> None:
    record = json.loads((copy / "signature.json").read_text())
    payload = base64.b64decode(record["dsseEnvelope"]["payload"]).decode()
    assert str(copy.parent) not in payload
    assert "/tmp" not in payload
