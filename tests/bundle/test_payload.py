from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import save_file

from speedwell.bundle.payload import write_payload
from speedwell.core import Model, Origin, TorchPayload, dumps, loads
from speedwell.core.errors import BundleError

from .conftest import SIGNATURE, onnx_model


def torch_model(folder: Path, module: TorchPayload, **metadata: str) -> Model:
    folder.mkdir()
    save_file({"w": np.zeros(3, np.float32)}, folder / "weights.safetensors", metadata=metadata)
    (folder / "module.json").write_text(dumps(module))
    return Model.of("torch", folder, SIGNATURE, Origin(module.builder, "nets:build"))


def test_metadata_and_doc_strings_of_an_onnx_graph_stay_at_home(tmp_path: Path) -> None:
    model = onnx_model(tmp_path / "product", note="/home/ada/nets/net.py, line 3")
    out = tmp_path / "model"
    out.mkdir()
    write_payload(model, out)
    data = (out / "model.onnx").read_bytes()
    assert b"ada" not in data
    assert b"/home/ada" in model.payload.read_bytes(), "the product itself is not touched"
    x = {"x": np.ones((1, 4), np.float32)}
    one, other = (onnxruntime.InferenceSession(p).run(None, x)[0] for p in (model.payload, out / "model.onnx"))
    assert np.array_equal(one, other)


def test_only_metadata_that_an_engine_obeys_travels(tmp_path: Path) -> None:
    model = onnx_model(tmp_path / "product", note="/home/ada/nets/net.py, line 3")
    proto = onnx.load(model.payload)
    for key, value in (("speedwell.row_levels", "127"), ("speedwell.row_levels", "/home/ada"), ("other", "127")):
        proto.metadata_props.add(key=key, value=value)
    onnx.save(proto, model.payload)
    (tmp_path / "model").mkdir()
    write_payload(model, tmp_path / "model")
    left = onnx.load(tmp_path / "model" / "model.onnx").metadata_props
    assert [(p.key, p.value) for p in left] == [("speedwell.row_levels", "127")]


def test_external_weights_travel_under_a_fixed_name(tmp_path: Path) -> None:
    model = onnx_model(tmp_path / "product")
    proto = onnx.load(model.payload)
    onnx.save(proto, model.payload, save_as_external_data=True, location="net.onnx.data", size_threshold=0)
    out = tmp_path / "model"
    out.mkdir()
    write_payload(model, out)
    assert sorted(p.name for p in out.iterdir()) == ["model.onnx", "model.onnx.data"]
    x = {"x": np.ones((1, 4), np.float32)}
    one, other = (onnxruntime.InferenceSession(p).run(None, x)[0] for p in (model.payload, out / "model.onnx"))
    assert np.array_equal(one, other)


def test_external_weights_from_elsewhere_are_refused(tmp_path: Path) -> None:
    model = onnx_model(tmp_path / "product")
    onnx.save(
        onnx.load(model.payload), model.payload, save_as_external_data=True, location="other.bin", size_threshold=0
    )
    (tmp_path / "model").mkdir()
    with pytest.raises(BundleError, match=r"other\.bin"):
        write_payload(model, tmp_path / "model")


def test_a_node_named_after_a_local_path_is_refused(tmp_path: Path) -> None:
    model = onnx_model(tmp_path / "product")
    proto = onnx.load(model.payload)
    proto.graph.node[0].name = "/home/ada/secret/node"
    onnx.save(proto, model.payload)
    (tmp_path / "model").mkdir()
    with pytest.raises(BundleError, match="/home/ada"):
        write_payload(model, tmp_path / "model")


def test_a_factory_travels_without_the_folders_it_was_found_in(tmp_path: Path) -> None:
    model = torch_model(tmp_path / "m", TorchPayload("factory", "nets:build", ("/home/ada/nets",)), format="pt")
    (tmp_path / "out").mkdir()
    write_payload(model, tmp_path / "out")
    stored = loads(TorchPayload, (tmp_path / "out" / "module.json").read_text())
    assert stored == TorchPayload("factory", "nets:build")
    assert (tmp_path / "out" / "weights.safetensors").read_bytes() == (
        tmp_path / "m" / "weights.safetensors"
    ).read_bytes()


def test_a_configuration_travels_without_the_place_it_came_from(tmp_path: Path) -> None:
    model = torch_model(tmp_path / "m", TorchPayload("hf", "config.json"))
    labels = {"0": "/home/decor", "1": "/home/garden"}
    config = {"_name_or_path": "/home/ada/hf", "hidden": 8, "id2label": labels}
    (model.payload / "config.json").write_text(json.dumps(config))
    (tmp_path / "out").mkdir()
    write_payload(model, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == {"hidden": 8, "id2label": labels}
    (model.payload / "config.json").write_text(json.dumps({"cache": "/home/ada/cache"}))
    (tmp_path / "again").mkdir()
    with pytest.raises(BundleError, match="/home/ada"):
        write_payload(model, tmp_path / "again")


def test_nothing_that_can_run_code_gets_in(tmp_path: Path) -> None:
    live = torch_model(tmp_path / "live", TorchPayload("live", "Net"))
    (tmp_path / "out").mkdir()
    with pytest.raises(BundleError, match="live module") as caught:
        write_payload(live, tmp_path / "out")
    assert "--weights" in caught.value.fix
    pickled = torch_model(tmp_path / "pickled", TorchPayload("factory", "nets:build"))
    (pickled.payload / "module.pkl").write_bytes(b"\x80")
    with pytest.raises(BundleError, match=r"module\.pkl"):
        write_payload(dataclasses.replace(pickled), tmp_path / "out")


def test_weights_that_name_a_local_path_are_refused(tmp_path: Path) -> None:
    model = torch_model(tmp_path / "m", TorchPayload("factory", "nets:build"), source="/home/ada/run")
    (tmp_path / "out").mkdir()
    with pytest.raises(BundleError, match="/home/ada"):
        write_payload(model, tmp_path / "out")
