import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import small_world as w

Call = Callable[..., CompletedProcess[str]]


def test_it_names_machine_and_engines(speedwell: Call, tmp_path: Path) -> None:
    done = speedwell("doctor", cwd=tmp_path)
    assert done.returncode == 0
    for word in ("Machine", "onnxruntime", "openvino", "eager", "inductor", "native", "remembers"):
        assert word in done.stdout
    assert not list(tmp_path.iterdir())


def test_without_a_compiler_inductor_is_no_and_says_the_fix(tmp_path: Path) -> None:
    environment = {"PATH": str(Path(sys.executable).parent), "CXX": ""}
    done = w.command("doctor", "--json", cwd=tmp_path, environment={**os.environ, **environment})
    facts = json.loads(done.stdout)
    inductor = next(e for e in facts["engines"] if e["name"] == "inductor")
    assert inductor["ok"] is False
    assert "g++" in inductor["why_not"]
    assert facts["compiler"] == ""
