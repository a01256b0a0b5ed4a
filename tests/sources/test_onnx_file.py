from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from speedwell.core.errors import UnsafeModelError, UnsupportedModelError, UsageError
from speedwell.sources import onnx_file
from speedwell.sources.onnx_file import OnnxFile
from speedwell.testing.sources import Made, SourceConformance, outputs_of

INPUT = {"x": np.arange(8, dtype=np.float32).reshape(2, 4)}


class TestOnnxFile(SourceConformance):
    @pytest.fixture(autouse=True)
    def _makes(self, small_onnx):
        self.model_proto = small_onnx()

    def source(self):
        return OnnxFile()

    def make(self, folder):
        folder.mkdir(exist_ok=True)
        path = folder / "model.onnx"
        path.write_bytes(self.model_proto.SerializeToString())
        return Made(str(path), INPUT)


def load(model, tmp_path, name="m.onnx"):
    path = tmp_path / name
    path.write_bytes(model.SerializeToString())
    return OnnxFile().load(str(path), None, tmp_path / "scratch")


def test_signature_traits_and_origin(small_onnx, tmp_path):
    model = load(small_onnx(), tmp_path)
    assert [(s.name, s.dtype, s.shape) for s in (*model.signature.inputs, *model.signature.outputs)] == [
        ("x", "float32", ("batch", 4)),
        ("y", "float32", ("batch", 2)),
    ]
    assert (model.form, model.traits, model.origin.kind) == ("onnx", {"float"}, "onnx")


def test_external_data_comes_inside_and_the_folder_may_go(external_onnx, tmp_path):
    path = external_onnx()
    model = OnnxFile().load(str(path), None, tmp_path / "scratch")
    (path.parent / "w.bin").unlink()
    np.testing.assert_array_equal(outputs_of(model, INPUT)["y"], INPUT["x"] @ np.arange(8.0).reshape(4, 2) + 1)
    assert not list(model.payload.parent.glob("*.data"))


def test_weights_beyond_one_file_stay_beside_the_model(external_onnx, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "ONE_FILE_BYTES", 100)
    monkeypatch.setattr(onnx_file, "SMALL_BYTES", 16)
    path = external_onnx()
    model = OnnxFile().load(str(path), None, tmp_path / "scratch")
    data = model.payload.with_name(model.payload.name + ".data")
    assert data.stat().st_size == 32
    assert model.size_bytes == data.stat().st_size + model.payload.stat().st_size
    (path.parent / "w.bin").unlink()
    np.testing.assert_array_equal(outputs_of(model, INPUT)["y"], INPUT["x"] @ np.arange(8.0).reshape(4, 2) + 1)


def test_the_original_answers_are_kept_over_an_opset_upgrade(small_onnx, tmp_path):
    old = small_onnx(opset=8, ir=3)
    model = load(old, tmp_path)
    assert model.origin.hints["notes"] == ["opset 8 became 13"]
    want = ort.InferenceSession(old.SerializeToString()).run(None, INPUT)[0]
    np.testing.assert_allclose(outputs_of(model, INPUT)["y"], want, rtol=1e-6)


def test_what_the_checker_refuses_is_refused_with_its_words(small_onnx, tmp_path):
    model = small_onnx()
    model.graph.node[0].input[1] = "nowhere"
    with pytest.raises(UnsupportedModelError, match=r"onnx\.checker says.*nowhere"):
        load(model, tmp_path)


def test_a_custom_operator_is_refused_before_the_checker_sees_it(small_onnx, tmp_path):
    model = small_onnx()
    model.graph.node[2].domain = "acme"
    with pytest.raises(UnsupportedModelError, match="acme::Relu"):
        load(model, tmp_path)


def test_weights_beside_an_onnx_file_are_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="inside"):
        OnnxFile().load("m.onnx", tmp_path / "w.safetensors", tmp_path)


def test_a_pickle_called_onnx_is_unsafe(tmp_path):
    (tmp_path / "m.onnx").write_bytes(
        b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93."
    )
    with pytest.raises(UnsafeModelError, match="pickle"):
        OnnxFile().load(str(tmp_path / "m.onnx"), None, tmp_path / "scratch")


def test_a_refused_model_leaves_nothing_in_scratch(external_onnx, tmp_path):
    with pytest.raises(UnsafeModelError):
        OnnxFile().load(str(external_onnx("../x")), None, tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


# the exporter uses what torch and copyreg have deprecated
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_network_exported_by_torch_opens_without_its_local_paths(tmp_path):
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5)
    ).eval()
    example = torch.zeros(2, 3, 8, 8)
    program = torch.onnx.export(network, (example,), dynamo=True, dynamic_shapes=({0: torch.export.Dim("b")},),
                                verbose=False)  # fmt: skip
    program.save(str(tmp_path / "t.onnx"))
    assert b".py" in (tmp_path / "t.onnx").read_bytes()
    model = OnnxFile().load(str(tmp_path / "t.onnx"), None, tmp_path / "scratch")
    assert model.signature.inputs[0].shape == ("batch", 3, 8, 8)
    assert model.origin.hints["image"]["size"] == [8, 8]
    inside = model.payload.read_bytes()
    assert b".py" not in inside
    assert str(tmp_path).encode() not in inside
    onnx.checker.check_model(str(model.payload))
