from __future__ import annotations

import zipfile

import pytest
import torch
from safetensors.torch import load_file

from speedwell.core.errors import ModelNotFoundError, UnsafeModelError, UnsupportedModelError
from speedwell.sources import state_dict
from speedwell.sources.state_dict import convert_weights

STATE = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2)}


def converted(tmp_path, value, name="w.pth", **options):
    torch.save(value, tmp_path / name, **options)
    return load_file(convert_weights(tmp_path / name, tmp_path / "out" / "w.safetensors"))


@pytest.mark.parametrize(
    "value",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model": STATE, "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}, "args": {"lr": 0.1}},
        {"model_state_dict": {"state_dict": STATE}},
        {"whatever": STATE, "epoch": 1},
        {f"module.{k}": v for k, v in STATE.items()},
        {f"_orig_mod.module.{k}": v for k, v in STATE.items()},
        {k: torch.nn.Parameter(v) for k, v in STATE.items()},
    ],
)
def test_the_tensors_are_found_wherever_checkpoints_keep_them(tmp_path, value):
    found = converted(tmp_path, value)
    assert found.keys() == STATE.keys()
    torch.testing.assert_close(found["fc.weight"], STATE["fc.weight"])


def test_the_old_format_and_views_and_types_are_kept(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    value = {"view": base.t(), "part": base[1:], "half": torch.ones(2, dtype=torch.bfloat16), "n": torch.tensor(3)}
    found = converted(tmp_path, value, _use_new_zipfile_serialization=False)
    torch.testing.assert_close(found["view"], base.t().contiguous())
    torch.testing.assert_close(found["part"], base[1:])
    assert found["half"].dtype == torch.bfloat16
    assert found["n"].shape == ()


def test_a_whole_module_is_unsafe(tmp_path):
    with pytest.raises(UnsafeModelError, match="state_dict"):
        converted(tmp_path, torch.nn.Linear(2, 2))


def test_a_class_hidden_beside_the_tensors_is_unsafe_and_never_made(tmp_path):
    class Trap(dict):
        pass

    Trap.__module__, Trap.__qualname__ = "builtins", "print"
    torch.save({"w": torch.ones(1)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as old, zipfile.ZipFile(tmp_path / "trap.pth", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(
                name, b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R." if name.endswith("data.pkl") else data
            )
    with pytest.raises(UnsafeModelError):
        convert_weights(tmp_path / "trap.pth", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, {}, torch.ones(2)])
def test_what_holds_no_weights_says_so(tmp_path, value):
    with pytest.raises(UnsupportedModelError, match="no state dict"):
        converted(tmp_path, value)


def test_a_torn_file_and_a_missing_one_are_typed_errors(tmp_path):
    torch.save(STATE, tmp_path / "w.pth")
    whole = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "torn.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnsupportedModelError):
        convert_weights(tmp_path / "torn.pth", tmp_path / "o")
    with pytest.raises(ModelNotFoundError):
        convert_weights(tmp_path / "gone.pth", tmp_path / "o")


def test_an_archive_that_swells_is_refused_before_it_is_read(tmp_path):
    torch.save(STATE, tmp_path / "w.pth")
    with (
        zipfile.ZipFile(tmp_path / "w.pth") as old,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, b"\0" * (8 << 20) if name.endswith("data/0") else old.read(name))
    with pytest.raises(UnsafeModelError, match="unpack"):
        convert_weights(tmp_path / "bomb.pth", tmp_path / "o")


def test_a_size_cap_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(state_dict, "MAX_BYTES", 100)
    with pytest.raises(UnsupportedModelError, match="limit"):
        converted(tmp_path, STATE)


@pytest.mark.filterwarnings("ignore:Sparse invariant:UserWarning", "ignore:Sparse CSR:UserWarning")
def test_sparse_tensors_are_refused_by_name(tmp_path):
    with pytest.raises(UnsupportedModelError, match="'s' is sparse"):
        converted(tmp_path, {"s": torch.eye(3).to_sparse()})
