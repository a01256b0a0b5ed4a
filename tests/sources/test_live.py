from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from speedwell.core import TorchPayload, dumps
from speedwell.core.errors import ModelError, UnsafeModelError, UnsupportedModelError
from speedwell.sources import build_module, complete_signature, save_live
from speedwell.sources.payload import read_payload, write_payload


class Net(torch.nn.Module):
    """Lives in a test file, which no other process can import by name."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 2)
        self.scale = lambda x: 2 * x

    def forward(self, x):
        return self.scale(self.fc(x))


X = torch.ones(2, 4)


def test_a_live_module_comes_back_in_eval_mode_with_its_values(tmp_path):
    net = Net().train()
    model = save_live(net, tmp_path)
    back = build_module(model)
    assert torch.equal(back(X), net(X))
    assert (back.training, net.training) == (False, True)
    assert net.fc.weight.requires_grad
    whole = complete_signature(model, {"x": X.numpy()})
    assert whole.signature.outputs[0].shape == ("batch", 2)
    assert model.origin.kind == "live"


def test_another_process_opens_a_class_that_it_cannot_import(tmp_path):
    net = Net()
    (tmp_path / "record.json").write_text(dumps(save_live(net, tmp_path / "run")))
    code = (
        "import sys, torch; from speedwell.core import Model, loads; from speedwell.sources import build_module\n"
        "print(build_module(loads(Model, open(sys.argv[1]).read()))(torch.ones(2, 4)).sum().item())"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "record.json")]
    out = subprocess.run(run, capture_output=True, text=True, check=True, cwd="/").stdout
    np.testing.assert_allclose(float(out), float(net(X).sum().detach()), rtol=1e-6)


def test_the_weights_name_the_object_for_a_resume(tmp_path):
    net = Net()
    digest = read_payload(save_live(net, tmp_path).payload).arguments["weights"]
    assert read_payload(save_live(net, tmp_path).payload).arguments["weights"] == digest
    with torch.no_grad():
        net.fc.bias += 1
    assert read_payload(save_live(net, tmp_path).payload).arguments["weights"] != digest


def test_the_pickle_is_the_users_alone_and_must_stay_so(tmp_path):
    model = save_live(Net(), tmp_path)
    pickle = model.payload / "module.pkl"
    assert pickle.stat().st_mode & 0o777 == 0o600
    assert model.payload.stat().st_mode & 0o777 == 0o700
    pickle.chmod(0o622)
    with pytest.raises(UnsafeModelError, match="yours alone"):
        build_module(model)
    pickle.chmod(0o600)
    model.payload.chmod(0o777)
    with pytest.raises(UnsafeModelError, match="yours alone"):
        build_module(model)


def test_a_link_in_place_of_the_pickle_is_not_followed(tmp_path):
    model = save_live(Net(), tmp_path)
    (model.payload / "module.pkl").rename(tmp_path / "elsewhere.pkl")
    (model.payload / "module.pkl").symlink_to(tmp_path / "elsewhere.pkl")
    with pytest.raises(UnsafeModelError):
        build_module(model)


# torch.compile imports parts of torch that torch itself has deprecated
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_wrappers_of_one_process_are_taken_off(tmp_path):
    net = Net()
    for wrapped in (torch.compile(net), torch.nn.DataParallel(net)):
        assert torch.equal(build_module(save_live(wrapped, tmp_path))(X), net(X))


def test_what_cannot_travel_is_a_typed_error_with_the_way_out(tmp_path):
    net = Net()
    net.lock = threading.Lock()
    with pytest.raises(UnsupportedModelError, match=r"cannot travel[\s\S]*models:build"):
        save_live(net, tmp_path)
    with pytest.raises(UnsupportedModelError, match=r"a list is no torch\.nn\.Module"):
        save_live([1], tmp_path)


def test_a_torn_pickle_is_a_typed_error(tmp_path):
    model = save_live(Net(), tmp_path)
    (model.payload / "module.pkl").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="cannot be opened"):
        build_module(model)


def test_edits_that_no_pass_knows_stop_the_rebuild(tmp_path):
    model = save_live(Net(), tmp_path)
    write_payload(model.payload, TorchPayload("live", "x", (), {}, ({"prune": 3},)))
    with pytest.raises(ModelError, match="prune"):
        build_module(model)
