from pathlib import Path

import pytest

from speedwell.core import Model, Origin, Signature, TensorSpec, TorchPayload, decode, encode

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 3)),), (TensorSpec("y", "float32", ("batch", 2)),))


@pytest.fixture
def onnx_model(tmp_path: Path) -> Model:
    (tmp_path / "m.onnx").write_bytes(b"graph")
    return Model.of("onnx", tmp_path / "m.onnx", SIGNATURE, Origin("onnx", "m.onnx"))


def test_a_model_is_its_payload_s_content(onnx_model: Model, tmp_path: Path) -> None:
    (tmp_path / "copy.onnx").write_bytes(b"graph")
    (tmp_path / "other.onnx").write_bytes(b"Graph")
    again = Model.of("onnx", tmp_path / "copy.onnx", SIGNATURE, onnx_model.origin)
    other = Model.of("onnx", tmp_path / "other.onnx", SIGNATURE, onnx_model.origin)
    assert onnx_model.digest == again.digest != other.digest
    assert onnx_model.traits == {"float"}


def test_size_counts_external_weights_and_folders(onnx_model: Model, tmp_path: Path) -> None:
    assert onnx_model.size_bytes == 5
    (tmp_path / "m.onnx.data").write_bytes(b"0" * 10)
    assert onnx_model.size_bytes == 15
    folder = tmp_path / "torch"
    (folder / "sub").mkdir(parents=True)
    (folder / "module.json").write_bytes(b"{}")
    (folder / "sub" / "w").write_bytes(b"123")
    assert Model.of("torch", folder, SIGNATURE, Origin("factory", "m:f")).size_bytes == 5


def test_only_known_traits(onnx_model: Model) -> None:
    with pytest.raises(ValueError, match="sparkly"):
        Model.of("onnx", onnx_model.payload, SIGNATURE, onnx_model.origin, ["sparkly"])


def test_a_further_trait_leaves_the_payload(onnx_model: Model) -> None:
    half = onnx_model.with_traits("bf16")
    assert half.traits == {"float", "bf16"}
    assert (half.payload, half.digest) == (onnx_model.payload, onnx_model.digest)
    assert onnx_model.traits == {"float"}


def test_records_come_back_the_same(onnx_model: Model) -> None:
    assert decode(Model, encode(onnx_model)) == onnx_model
    payload = TorchPayload("factory", "m:f", ("/a",), {"classes": 3}, ({"op": "cut"},))
    assert decode(TorchPayload, encode(payload)) == payload
