import getpass
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_world as w

from speedwell.bundle import verify_bundle
from speedwell.core import AccuracyClaim, AccuracyVerdict, Candidate, Confirmation, Hardware, Outcome, Step
from speedwell.core.errors import OutputError
from speedwell.core.record import decode
from speedwell.engines import Native
from speedwell.native import find_plan
from speedwell.workflow.handover import bundleable, check_out, write_in_worker
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


def test_a_certified_winner_of_the_native_engine_takes_its_plan_with_it(text_run: Any, tmp_path: Path) -> None:
    if not Native().availability(Hardware.here()).ok:
        return
    prepared = decode(Prepared, w.as_json(text_run.run / "run.json")["prepared"])
    winner = Candidate((), "native")
    claim = AccuracyClaim(AccuracyVerdict.KEPT, 1.0, 1.0, 0.0, 0.01, 100, "tango")
    certified = Confirmation(winner, claim, (), True)
    for confirmation, name in ((certified, "certified"), (None, "best so far")):
        bundle = Path(write_in_worker(prepared.model, Outcome(winner), prepared, confirmation, {}, (), tmp_path / name))
        listed = {f.path for f in verify_bundle(bundle).files}
        carried = {f"model/model.onnx.plan/{n}" for n in ("plan.json", "weights.safetensors", "lowered.json")}
        assert carried <= listed if confirmation is not None else not carried & listed
        if confirmation is not None:
            assert find_plan(bundle / "model" / "model.onnx") is not None
    for engine in ("onnxruntime", "openvino"):
        other = replace(certified, candidate=Candidate((), engine))
        outcome = Outcome(other.candidate)
        bundle = Path(write_in_worker(prepared.model, outcome, prepared, other, {}, (), tmp_path / engine))
        assert not list(bundle.rglob("*.plan"))
