import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import speedwell
from speedwell.core.errors import BundleError


def test_opening_an_onnx_runtime_bundle_imports_no_torch(live_run: Any) -> None:
    code = (
        "import json, sys, numpy, speedwell\n"
        f"fast = speedwell.open({str(live_run.bundle)!r})\n"
        "answer = fast(numpy.zeros((1, 8, 8), numpy.float32))\n"
        "print(json.dumps([answer.index, sorted({n.partition('.')[0] for n in sys.modules})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    index, modules = json.loads(done.stdout)
    assert 0 <= index < 10
    assert not {"torch", "openvino", "transformers"} & set(modules)


def test_there_is_no_bundle_at_another_place(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle at"):
        speedwell.open(tmp_path / "nowhere")


def test_a_changed_file_is_not_opened(live_run: Any, tmp_path: Path) -> None:
    bundle = live_run.save(tmp_path / "copy")
    model = next(p for p in (bundle / "model").rglob("*") if p.is_file())
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(BundleError):
        speedwell.open(bundle)


def test_another_user_s_bundle_needs_the_key_or_a_word(
    live_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEEDWELL_HOME", str(tmp_path / "another"))
    with pytest.raises(BundleError):
        speedwell.open(live_run.bundle)
    speedwell.open(live_run.bundle, unsigned=True).close()
