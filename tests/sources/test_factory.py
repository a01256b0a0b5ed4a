from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from speedwell.core import Model, dumps
from speedwell.core.errors import ModelError, ModelNotFoundError, UnsupportedModelError, WeightsMismatchError
from speedwell.sources.factory import Factory
from speedwell.sources.rebuild import build_module
from speedwell.testing.sources import Made, SourceConformance

IMAGE = {"image": np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)}


class TestFactory(SourceConformance):
    @pytest.fixture(autouse=True)
    def _makes(self, write_code, monkeypatch):
        monkeypatch.setattr(sys, "path", list(sys.path))
        self.write = write_code

    def source(self):
        return Factory()

    def make(self, folder):
        return Made(f"{self.write(name=f'{folder.name}/net_conform.py')}:build", IMAGE)

    def missing(self, folder):
        return f"{folder}/gone.py:build"


@pytest.fixture(autouse=True)
def _own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def trained(path, **changes):
    import importlib.util

    spec = importlib.util.spec_from_file_location("trained_net", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(5)
    return module.Net(**changes)


@pytest.mark.parametrize("ending", [".safetensors", ".pth", ".pt", ".bin"])
def test_weights_of_either_format_replace_the_factorys_own(write_code, tmp_path, ending):
    path = write_code(name="net_w.py")
    state = trained(path).state_dict()
    weights = tmp_path / f"w{ending}"
    (save_file if ending == ".safetensors" else torch.save)(dict(state), weights)
    model = Factory().load(f"{path}:build", weights, tmp_path / "s")
    assert torch.equal(build_module(model).head.weight, state["head.weight"])
    assert sorted(p.name for p in model.payload.iterdir()) == ["module.json", "weights.safetensors"]


def test_weights_that_do_not_fit_leave_no_payload(write_code, tmp_path):
    path = write_code(name="net_x.py")
    save_file(dict(trained(path, classes=9).state_dict()), tmp_path / "w.safetensors")
    with pytest.raises(WeightsMismatchError, match=r"head\.weight: \[9, 4\] in the file, \[3, 4\]"):
        Factory().load(f"{path}:build", tmp_path / "w.safetensors", tmp_path / "s")
    assert not list((tmp_path / "s").rglob("module.json"))
    with pytest.raises(ModelNotFoundError, match="weights"):
        Factory().load(f"{path}:build", tmp_path / "gone.safetensors", tmp_path / "s")


def test_without_weights_a_random_factory_keeps_the_values_of_its_first_call(write_code, tmp_path):
    path = write_code("def fresh(): return Net()", name="net_r.py")
    model = Factory().load(f"{path}:fresh", None, tmp_path / "s")
    torch.manual_seed(1)
    first = build_module(model).head.weight
    torch.manual_seed(2)
    assert torch.equal(first, build_module(model).head.weight)


def test_hints_come_from_the_callable_the_network_or_the_file(write_code, tmp_path):
    path = write_code(
        """
        import numpy as np, pathlib
        build.preprocessing = {"image": {"size": (8, 8), "mean": np.array([0.5])}, "other": 1}
        classes = np.array(["cat", "dog", "eel"])

        def text():
            net = Net()
            net.classes = ["a", "b", "c"]
            return net
        text.preprocessing = {"text": {"tokenizer": pathlib.Path("tok.json"), "max_length": 16}}
        """,
        name="net_h.py",
    )
    (tmp_path / "tok.json").write_text("{}")
    hints = Factory().load(f"{path}:build", None, tmp_path / "s").origin.hints
    assert hints == {"image": {"size": [8, 8], "mean": [0.5]}, "classes": ["cat", "dog", "eel"]}
    hints = Factory().load(f"{path}:text", None, tmp_path / "s").origin.hints
    assert hints["classes"] == ["a", "b", "c"]
    assert hints["text"] == {"tokenizer": str(tmp_path / "tok.json"), "max_length": 16}


def test_preprocessing_that_is_no_json_is_said_so(write_code, tmp_path):
    path = write_code("build.preprocessing = {'image': {'size': object()}}", name="net_j.py")
    with pytest.raises(UnsupportedModelError, match="plain JSON"):
        Factory().load(f"{path}:build", None, tmp_path / "s")


def test_claims_keep_out_of_the_other_sources_way():
    claims = Factory().claims
    assert claims("pkg.models:build")
    assert claims("./a b/net.py:Zoo.make")
    assert not [r for r in ("hf:models", "timm:resnet18", "a.onnx", "pkg.models", "C:\\x.pt", "a.py:", "s3://x/y")
                if claims(r)]  # fmt: skip


def test_another_process_rebuilds_it_from_the_record_alone(write_code, tmp_path):
    path = write_code(name="net_p.py")
    model = Factory().load(f"{path}:build", None, tmp_path / "s")
    (tmp_path / "record.json").write_text(dumps(model))
    code = (
        "import sys; from speedwell.core import Model, loads; from speedwell.sources import build_module\n"
        "module = build_module(loads(Model, open(sys.argv[1]).read()))\n"
        "print(module.training, float(module.head.weight.sum()), any(p.requires_grad for p in module.parameters()))"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "record.json")]
    out = subprocess.run(run, capture_output=True, text=True, check=True, cwd="/").stdout.split()
    assert out == ["False", str(float(build_module(model).head.weight.sum())), "False"]


def test_weights_changed_on_disk_do_not_load(write_code, tmp_path):
    model: Model = Factory().load(f"{write_code(name='net_k.py')}:build", None, tmp_path / "s")
    (model.payload / "weights.safetensors").unlink()
    with pytest.raises(ModelError):
        build_module(model)
