from __future__ import annotations

import contextlib
import io
import pickle
import shlex
import subprocess
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedwell.core.errors import ModelError, ModelNotFoundError, UnsafeModelError, UnsupportedModelError
from speedwell.sources.refuse import kind_of, pickled_names, refuse_unsafe


class Canary:
    """Unpickling it would leave a file: no test may find that file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def saved(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


NET = torch.nn.Linear(2, 2)
CASES = {
    "whole module": ("model.pt", lambda: saved(NET), UnsafeModelError, "whole pickled module"),
    "whole module, old format": ("model.pth", lambda: saved(NET, _use_new_zipfile_serialization=False),
                                 UnsafeModelError, "whole pickled module"),
    "state dict as a model": ("model.pt", lambda: saved(NET.state_dict()), UnsupportedModelError, "--weights"),
    "state dict, old format": ("w.bin", lambda: saved(NET.state_dict(), _use_new_zipfile_serialization=False),
                               UnsupportedModelError, "--weights"),
    "torchscript": ("model.pt", lambda: zipped("m/code/__torch__.py", "m/data.pkl"), UnsafeModelError, "TorchScript"),
    "exported program": ("m.pt2", lambda: zipped("m/archive_format", "m/models/model.json"), UnsafeModelError, "pt2"),
    "exported program, old": ("m.bin", lambda: zipped("serialized_state_dict.pt"), UnsafeModelError, "pt2"),
    "joblib": ("model.joblib", lambda: pickle.dumps([1]), UnsafeModelError, "pip install skl2onnx"),
    "pickle": ("model.pkl", lambda: pickle.dumps({"a": OrderedDict()}, 2), UnsafeModelError, "pickle"),
    "pickle of protocol 0": ("model.dat", lambda: pickle.dumps(OrderedDict(), 0), UnsafeModelError, "pickle"),
    "joblib, compressed": ("model.joblib", lambda: b"\x78\x9c\x00", UnsafeModelError, "skl2onnx"),
    "pickle called onnx": ("model.onnx", lambda: pickle.dumps(OrderedDict()), UnsafeModelError, "pickle"),
    "keras 3": ("m.keras", lambda: zipped("config.json", "metadata.json", "model.weights.h5"), UnsupportedModelError,
                "tf2onnx.convert --keras m.keras --output m.onnx"),
    "hdf5": ("m.h5", lambda: b"\x89HDF\r\n\x1a\n" + b"\0" * 40, UnsupportedModelError,
             "tf2onnx.convert --keras m.h5 --output m.onnx"),
    "hdf5 called onnx": ("m.onnx", lambda: b"\x89HDF\r\n\x1a\n", UnsupportedModelError, "HDF5"),
    "tflite": ("m.tflite", lambda: b"\x1c\0\0\0TFL3" + b"\0" * 20, UnsupportedModelError,
               "tf2onnx.convert --tflite m.tflite --output m.onnx"),
    "frozen graph": ("m.pb", lambda: b"\x0a\x10", UnsupportedModelError, "--graphdef m.pb"),
    "saved model by its file": ("saved_model.pb", lambda: b"\x08\x01", UnsupportedModelError, "--saved-model ."),
    "gguf": ("m.gguf", lambda: b"GGUF\x03\0\0\0", UnsupportedModelError, "hf:"),
    "safetensors": ("m.safetensors", lambda: (2).to_bytes(8, "little") + b"{}", UnsupportedModelError, "--weights"),
    "arrays": ("a.npz", lambda: zipped("a.npy"), UnsupportedModelError, "arrays"),
    "openvino": ("m.xml", lambda: b"<?xml version='1.0'?>", UnsupportedModelError, "OpenVINO"),
    "tensorrt": ("m.engine", lambda: b"ptrt", UnsupportedModelError, "ONNX"),
    "torn zip": ("m.pt", lambda: saved(NET)[:200], UnsupportedModelError, "zip"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_kind_is_refused_with_its_reason_and_the_way_out(name, tmp_path, monkeypatch):
    file, content, error, words = CASES[name]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / file
    path.write_bytes(content())
    with pytest.raises(error) as caught:
        refuse_unsafe(path.relative_to(tmp_path))
    assert words in str(caught.value)
    assert caught.value.fix


def test_the_message_for_a_whole_module_is_the_promised_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(NET, tmp_path / "model.pt")
    with pytest.raises(UnsafeModelError) as caught:
        refuse_unsafe((tmp_path / "model.pt").relative_to(tmp_path))
    assert str(caught.value) == (
        "cannot open model.pt: it holds a whole pickled module, and opening it can run code.\n"
        'Save its weights once, where you trust it:   torch.save(model.state_dict(), "model.pth")\n'
        "then name what builds the network:           speedwell accelerate my_package.models:build "
        "--weights model.pth ..."
    )


def test_a_saved_model_folder_is_refused(tmp_path):
    (tmp_path / "tf").mkdir()
    (tmp_path / "tf" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UnsupportedModelError, match="--saved-model"):
        refuse_unsafe(tmp_path / "tf")


@pytest.mark.parametrize("old", [False, True])
def test_weights_may_be_a_state_dict_of_either_format(tmp_path, old):
    state = {"a": torch.ones(2), "b": torch.nn.Parameter(torch.ones(1)), "c": torch.ones(2, dtype=torch.bfloat16)}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "w.pth", _use_new_zipfile_serialization=not old)
    refuse_unsafe(tmp_path / "w.pth", role="weights")
    assert kind_of(tmp_path / "w.pth") == "state dict"


def test_weights_may_not_be_a_whole_module(tmp_path):
    torch.save(NET, tmp_path / "w.pth")
    with pytest.raises(UnsafeModelError):
        refuse_unsafe(tmp_path / "w.pth", role="weights")


def test_onnx_passes_and_nothing_there_is_said_so(tmp_path, small_onnx):
    (tmp_path / "m.onnx").write_bytes(small_onnx().SerializeToString())
    refuse_unsafe(tmp_path / "m.onnx")
    with pytest.raises(ModelNotFoundError):
        refuse_unsafe(tmp_path / "gone.onnx")


@pytest.mark.parametrize("file", ["a.pkl", "a.joblib", "a.pt", "a.pth", "a.onnx", "a.h5", "a.npy", "a"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_is_ever_unpickled(tmp_path, file, protocol):
    (tmp_path / file).write_bytes(pickle.dumps(Canary(tmp_path / "ran"), protocol))
    for role in ("model", "weights"):
        with pytest.raises(UnsafeModelError):
            refuse_unsafe(tmp_path / file, role=role)
    assert not (tmp_path / "ran").exists()


def test_the_names_in_a_pickle_are_read_without_importing_them():
    assert "posix system" in set(pickled_names(b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93."))
    assert set(pickled_names(pickle.dumps(np.dtype("f4"), 2))) == {"numpy dtype"}


def test_the_torchscript_command_works_when_pasted(tmp_path):
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.trace(NET, torch.ones(1, 2)).save(str(tmp_path / "s.pt"))
    with pytest.raises(UnsafeModelError) as caught:
        refuse_unsafe(tmp_path / "s.pt")
    command = caught.value.fix.splitlines()[0].partition(":   ")[2]
    run = shlex.split(command)
    subprocess.run([sys.executable, *run[1:]], check=True, cwd=tmp_path)
    assert kind_of(tmp_path / "s.pth") == "state dict"
    loaded = torch.load(tmp_path / "s.pth", weights_only=True)
    torch.testing.assert_close(loaded["weight"], NET.weight.detach())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from([b"PK\x03\x04", b"\x80\x02", b"\x80\x05", b"\x89HDF\r\n\x1a\n", b"(", b"c", b""]),
       rest=st.binary(max_size=200), ending=st.sampled_from([".pt", ".onnx", ".h5", ".x", ""]))  # fmt: skip
def test_any_bytes_give_an_answer_or_a_typed_error(tmp_path, head, rest, ending):
    path = tmp_path / f"file{ending}"
    path.write_bytes(head + rest)
    for role in ("model", "weights"):
        with contextlib.suppress(ModelError):  # any other exception fails the test
            assert refuse_unsafe(path, role=role) is None
