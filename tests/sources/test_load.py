from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from speedwell.core import Source
from speedwell.core.errors import ModelNotFoundError, UnsafeModelError, UnsupportedModelError, UsageError
from speedwell.sources import REGISTRY, load_model


def test_the_built_in_sources_are_there_in_order():
    assert REGISTRY.names()[:5] == ("onnx", "trained", "hf", "timm", "factory")
    assert all(isinstance(source, Source) for source in REGISTRY)
    assert [source.name for source in REGISTRY][:5] == ["onnx", "trained", "hf", "timm", "factory"]


def test_a_reference_finds_its_source(small_onnx, write_code, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "m.onnx").write_bytes(small_onnx().SerializeToString())
    assert load_model(str(tmp_path / "m.onnx"), None, tmp_path / "a").form == "onnx"
    model = load_model(f"{write_code(name='net_load.py')}:build", None, tmp_path / "b")
    assert (model.form, model.origin.kind) == ("torch", "factory")
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("reference", ["models/net.onnx", "gone.pt", "gone", "dir/x", "no.such:thing", "hf:gone"])
def test_nothing_there_is_not_found(reference, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFoundError) as caught:
        load_model(reference, None, tmp_path / "s")
    assert reference.removeprefix("hf:").partition(":")[0] in caught.value.what


def test_an_unknown_file_lists_the_kinds(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "folder").mkdir()
    for name in ("notes.txt", "folder"):
        with pytest.raises(UnsupportedModelError) as caught:
            load_model(str(tmp_path / name), None, tmp_path / "s")
        for kind in ("model.onnx", "module:build", "hf:", "timm:"):
            assert kind in caught.value.fix


def test_a_pickled_module_is_refused_and_a_bare_folder_is_pointed_at_hf(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "model.pt")
    with pytest.raises(UnsafeModelError, match="state_dict"):
        load_model(str(tmp_path / "model.pt"), None, tmp_path / "s")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UnsupportedModelError, match="speedwell accelerate hf:"):
        load_model(str(tmp_path), None, tmp_path / "s")


def test_an_empty_reference_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError):
        load_model(" ", None, tmp_path)


def test_importing_the_room_is_cheap():
    code = (
        "import sys, speedwell.sources\n"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'transformers', 'openvino', 'timm') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
