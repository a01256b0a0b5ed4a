import sys
from dataclasses import replace
from pathlib import Path

import pytest

import speedwell
from speedwell.core import Hardware
from speedwell.workflow import doctor as module


def test_every_engine_has_a_row_and_a_reason_where_it_does_not_run() -> None:
    found = speedwell.doctor()
    assert {"eager", "inductor", "onnxruntime", "openvino", "native"} <= {r.name for r in found.engines}
    for row in found.engines:
        assert row.ok or row.why_not
        assert row.name in found.text
    assert max(map(len, found.text.splitlines())) <= 120


def test_without_a_compiler_it_says_so_and_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    found = speedwell.doctor()
    inductor = next(r for r in found.engines if r.name == "inductor")
    assert not inductor.ok
    assert "compiler" in inductor.why_not
    assert "apt-get install g++" in found.text
    assert found.compiler == ""


def test_the_native_engine_has_a_line_of_its_own_with_what_it_takes_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    here = [module.EngineRow("native", True, "1", "")]
    monkeypatch.setattr("speedwell.native.supported_isas", lambda: ("avx2", "scalar"), raising=False)
    assert module._native("g++", here) == "uses avx2 (could use scalar)"
    missing = [module.EngineRow("native", False, "", "not built")]
    assert module._native("g++", missing) == "not built: pip install . again (in a checkout: make native)"
    assert module._native("", missing).startswith("not built: apt-get install g++, then pip install")


def test_remarks_fit_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Hardware.here()
    old = replace(here, architecture="x86_64", flags=("avx2",), gpus=("NVIDIA A100",))
    remarks = "\n".join(module._remarks(old, {}))
    assert "7 bits" in remarks
    assert "NVIDIA A100: seen, not used" in remarks
    assert 'pip install "speedwell[torch]"' in remarks
    arm = "\n".join(module._remarks(replace(here, architecture="arm64", flags=()), here.versions))
    assert "arm64" in arm
    monkeypatch.setattr(sys, "platform", "win32")
    assert "WSL" in "\n".join(module._remarks(here, here.versions))
