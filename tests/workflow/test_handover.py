import getpass
import socket
from pathlib import Path
from typing import Any

import pytest
import small_world as w

from speedwell.core import Candidate, Step
from speedwell.core.errors import OutputError
from speedwell.core.record import decode
from speedwell.workflow.handover import bundleable, check_out
from speedwell.workflow.prepared import Prepared


def test_a_bundle_holds_no_sample_no_absolute_path_no_user_and_no_host(live_run: Any, home: Path) -> None:
    pixels, _ = w.digits()
    names = {socket.gethostname(), *([getpass.getuser()] if getpass.getuser() != "root" else [])}
    secrets = [str(live_run.run), str(home), str(Path.cwd()), "/tmp/", "/home/", "/root/", *names]
    samples = [p.tobytes() for p in pixels[400:] if p.any()]
    samples += [(p / 255).astype("float32").tobytes() for p in pixels[400:600]]
    files = [f for f in live_run.bundle.rglob("*") if f.is_file()]
    assert len(files) >= 4
    for file in files:
        content = file.read_bytes()
        found = [s for s in secrets if len(s) > 3 and s.encode() in content]
        assert not found, f"{file.name} holds {found}"
        assert not any(s in content for s in samples), f"{file.name} holds a sample"


def test_the_report_lies_beside_the_bundle_and_not_in_it(live_run: Any) -> None:
    assert live_run.report() == live_run.bundle.with_name("bundle.report.html")
    assert not list(live_run.bundle.rglob("*.html"))


def test_a_live_module_itself_cannot_be_handed_over(live_run: Any) -> None:
    prepared = decode(Prepared, w.as_json(live_run.run / "run.json")["prepared"])
    assert "live module" in bundleable(prepared, Candidate((), "inductor"))
    assert not bundleable(prepared, Candidate((Step("to_onnx"),), "onnxruntime"))


def test_a_place_for_the_bundle_is_looked_at_first(tmp_path: Path) -> None:
    check_out(tmp_path / "new")
    check_out(tmp_path / "new" / "deep" / "bundle")
    assert not list(tmp_path.iterdir())
    (tmp_path / "old").mkdir()
    check_out(tmp_path / "old")
    (tmp_path / "old" / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match="no bundle"):
        check_out(tmp_path / "old")
    with pytest.raises(OutputError, match="cannot write into"):
        check_out(tmp_path / "old" / "thesis.tex" / "bundle")
