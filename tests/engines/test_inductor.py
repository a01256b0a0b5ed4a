from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from speedwell.core import Hardware
from speedwell.core.errors import EngineError
from speedwell.engines import Inductor
from speedwell.testing.engine_models import NETWORKS
from speedwell.testing.engines import EngineConformance, workload

# torch's own compiler imports torch.jit.script, which torch itself deprecates
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class TestConformance(EngineConformance):
    engine = Inductor()


def test_without_a_compiler_it_is_not_available_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    answer = Inductor().availability(Hardware.here())
    assert not answer.ok
    assert "no C++ compiler: no-such-compiler" in answer.why_not
    network = NETWORKS[0]
    with pytest.raises(EngineError, match="no C\\+\\+ compiler"):
        Inductor().compile(network.make("torch", tmp_path), workload(network), tmp_path)


def test_without_python_s_headers_it_is_not_available(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))  # noqa: ARG005
    assert "Python.h" in Inductor().availability(Hardware.here()).why_not


def test_windows_is_sent_to_wsl() -> None:
    assert "WSL" in Inductor().availability(replace(Hardware.here(), system="Windows 11")).why_not


def test_its_cache_lies_in_scratch_and_it_compiles_in_this_process_only(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    import torch._inductor.config as config

    scratch, network = tmp_path_factory.getbasetemp() / "scratch", NETWORKS[0]
    session = Inductor().compile(network.make("torch", tmp_path_factory.mktemp("cache")), workload(network), scratch)
    assert any((scratch / "inductor").rglob("*.so"))
    assert config.compile_threads == 1
    assert session.facts()["graph breaks"] == "0"
    session.close()
