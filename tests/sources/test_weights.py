from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from speedwell.core.errors import ModelNotFoundError, UnsupportedModelError, WeightsMismatchError
from speedwell.sources.weights import SHOWN, load_weights, save_weights


class Tied(torch.nn.Module):
    def __init__(self, fill=1.0):
        super().__init__()
        self.embed = torch.nn.Embedding(5, 3)
        self.head = torch.nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        torch.nn.init.constant_(self.embed.weight, fill)


def net():
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))


def test_what_is_saved_comes_back(tmp_path):
    first, second = net(), net()
    save_weights(first, tmp_path / "w")
    load_weights(second, tmp_path / "w")
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_tied_weights_are_stored_once_and_come_back_tied(tmp_path):
    save_weights(Tied(7.0), tmp_path / "w")
    assert list(load_file(tmp_path / "w")) == ["embed.weight"]
    other = Tied()
    load_weights(other, tmp_path / "w")
    assert other.head.weight is other.embed.weight
    assert float(other.head.weight.detach()[0, 0]) == 7.0


def test_tied_weights_saved_under_the_other_name_fit_as_well(tmp_path):
    save_file({"head.weight": torch.full((5, 3), 2.0)}, tmp_path / "w")
    other = Tied()
    load_weights(other, tmp_path / "w")
    assert float(other.embed.weight.detach()[0, 0]) == 2.0


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "net.body."])
def test_a_prefix_that_all_names_share_is_taken_off(tmp_path, prefix):
    first, second = net(), net()
    save_file({prefix + k: v for k, v in first.state_dict().items()}, tmp_path / "w")
    load_weights(second, tmp_path / "w")
    assert torch.equal(first[0].weight, second[0].weight)


def test_a_prefix_of_the_module_is_put_on(tmp_path):
    outer = torch.nn.ModuleDict({"model": net()})
    save_file(dict(net().state_dict()), tmp_path / "w")
    load_weights(outer, tmp_path / "w")


@given(st.sets(st.sampled_from(sorted(net().state_dict())), min_size=1))
def test_every_missing_tensor_is_missed(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("w") / "w"
    save_file({k: v for k, v in net().state_dict().items() if k not in names} | {"x": torch.ones(1)}, path)
    with pytest.raises(WeightsMismatchError) as caught:
        load_weights(net(), path)
    assert f"missing ({len(names)})" in caught.value.what
    assert "unexpected (1): x" in caught.value.what


def test_the_first_names_of_each_kind_are_listed_with_shapes(tmp_path):
    state = dict(net().state_dict())
    state["0.weight"] = torch.ones(3, 9)
    state |= {f"extra.{i}": torch.ones(1) for i in range(9)}
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsMismatchError) as caught:
        load_weights(net(), tmp_path / "w.safetensors")
    assert "0.weight: [3, 9] in the file, [3, 2] in the module" in caught.value.what
    assert f"and {9 - SHOWN} more" in caught.value.what
    assert caught.value.fix


def test_sizes_alone_point_at_the_sizes(tmp_path):
    save_file({k: torch.ones(*v.shape, 1) for k, v in net().state_dict().items()}, tmp_path / "w")
    with pytest.raises(WeightsMismatchError, match="sizes"):
        load_weights(net(), tmp_path / "w")


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\xff" * 64, (1 << 40).to_bytes(8, "little") + b"{}"])
def test_what_is_no_safetensors_file_says_so(tmp_path, content):
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(UnsupportedModelError, match="safetensors"):
        load_weights(net(), tmp_path / "w")
    with pytest.raises(ModelNotFoundError):
        load_weights(net(), tmp_path / "gone")


class Stateful(torch.nn.Module):
    def get_extra_state(self):
        return {"count": 1}

    def set_extra_state(self, state):
        pass


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Stateful(), "no tensor"),
        (torch.nn.Linear(2, 2, device="meta"), "no value"),
        (torch.nn.LazyLinear(2), "no value"),
    ],
)
def test_state_that_cannot_be_stored_is_named(tmp_path, module, words):
    with pytest.raises(UnsupportedModelError, match=words):
        save_weights(module, tmp_path / "w")
