from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from speedwell.core import Model, Origin, Signature, TensorSpec, Workload
from speedwell.core.errors import EngineError
from speedwell.engines.torch_session import TorchSession, operator_kind, torch_reads

PAIR = Signature(
    (TensorSpec("x", "float32", ("batch", 2)),),
    (TensorSpec("same", "float32", ("batch", 2)), TensorSpec("own", "float32", (2,))),
)


def session(tmp_path: Path, module: torch.nn.Module) -> TorchSession:
    def call(tensors: Mapping[str, torch.Tensor], batch: int | None) -> dict[str, torch.Tensor]:
        assert batch == len(tensors["x"])
        same, own = module(tensors["x"])
        return {"same": same, "own": own}

    (tmp_path / "payload").write_bytes(b"")
    model = Model.of("torch", tmp_path / "payload", PAIR, Origin("factory", "test"))
    return TorchSession(model, Workload(1, 1), "eager", module, call, lambda: call, {})


class Aliases(torch.nn.Module):
    """Returns a view of its input and its own buffer, which every call changes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen += 1
        return x.view(-1, 2), self.seen


def test_outputs_that_are_the_input_or_the_network_s_own_memory_are_copied(tmp_path: Path) -> None:
    opened, x = session(tmp_path, Aliases()), np.ones((1, 2), np.float32)
    first = opened.run({"x": x})
    x[...] = 5
    opened.run({"x": x})
    np.testing.assert_array_equal(first["same"], [[1, 1]])
    np.testing.assert_array_equal(first["own"], [1, 1])


class Fails(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ x


def test_what_torch_says_is_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="eager cannot run: mat1 and mat2 shapes cannot be multiplied"):
        session(tmp_path, Fails()).run({"x": np.ones((3, 2), np.float32)})


class Halves(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.to(torch.bfloat16), x[0].to(torch.bfloat16)


def test_bfloat16_outputs_come_as_the_signature_s_float32(tmp_path: Path) -> None:
    got = session(tmp_path, Halves()).run({"x": np.full((1, 2), 1.5, np.float32)})
    assert {a.dtype for a in got.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(got["same"], [[1.5, 1.5]])


@pytest.mark.parametrize(
    ("form", "traits", "word"),
    [("onnx", {"float"}, "onnx"), ("torch", {"static-int8"}, "static-int8"), ("torch", {"f16"}, "float16")],
)
def test_what_torch_does_not_run_is_said(form: str, traits: set[str], word: str) -> None:
    assert word in torch_reads(form, frozenset(traits))
    assert torch_reads("torch", frozenset({"float"})) == ""


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("aten::addmm", "addmm"),
        ("graph_5_cpp_fused_add_mean_native_layer_norm_2", "fused_add_mean_native_layer_norm"),
        ("Torch-Compiled Region: 0/1", "calling compiled code"),
        ("## Call CompiledFxGraph f00 ##", "calling compiled code"),
    ],
)
def test_profiler_events_get_names_that_do_not_change_from_run_to_run(event: str, kind: str) -> None:
    assert operator_kind(event) == kind
