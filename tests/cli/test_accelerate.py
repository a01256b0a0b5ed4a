import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import small_world as w

from speedwell.core import Outcome, decode
from speedwell.search import Ledger, Store

Call = Callable[..., CompletedProcess[str]]


def test_json_lines_parse_and_tell_the_whole_story(finished: tuple[Path, CompletedProcess[str]]) -> None:
    folder, done = finished
    events = [json.loads(line) for line in done.stdout.splitlines()]
    names = [e["event"] for e in events]
    assert {"budget", "header", "started", "finished", "confirming", "done"} <= set(names)
    assert names[-1] == "done"
    assert names.index("header") < names.index("started") < names.index("finished")
    last = events[-1]
    assert last["result"]["verdict"] == "certified"
    assert last["result"]["best"]["engine"] == "remembers"
    assert Path(last["paths"]["bundle"]).samefile(folder / "bundle")
    assert (folder / "bundle.report.html").is_file()
    assert done.stderr == ""


def test_quiet_says_only_warnings_and_the_verdict(unlabelled: Path) -> None:
    said = (unlabelled / "said.txt").read_text()
    assert "Machine " not in said
    assert "against the original" not in said, "no rows"
    assert "Report" in said


def test_a_dry_run_says_what_would_be_tried_and_leaves_nothing(world: Path, speedwell: Call, tmp_path: Path) -> None:
    done = speedwell(
        "accelerate", world / "reader.onnx", "--data", world / "scans", "--dry-run", "--engines=onnxruntime,openvino",
        *w.QUICK_OPTIONS, *w.IMAGE_OPTIONS, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "lossless" in done.stdout
    assert "openvino" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--nope"], 2, "No such option: --nope"),
        ([], 2, "no model is named"),
        (["missing.onnx"], 3, "missing.onnx"),
        (["READER", "--data=nowhere"], 4, "Check the path after --data"),
        (["READER", "--budget=1s"], 2, "Ask for at least --budget"),
        (["READER", "--size=big"], 2, "224x320"),
        (["READER", "--mean=a,b"], 2, "commas"),
        (["READER", "--engines=warp"], 2, "There are: eager"),
        (["--resume=nowhere"], 8, "holds no run"),
        (["READER", "--resume=nowhere"], 2, "The run knows its model"),
        (["READER", "--batch=two"], 2, "--batch"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_each_kind_of_error_has_its_exit_code_and_no_traceback(
    world: Path, speedwell: Call, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    done = speedwell(
        "accelerate", *(str(world / "reader.onnx") if a == "READER" else a for a in arguments), cwd=tmp_path
    )
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_an_error_is_data_with_json_and_a_traceback_with_debug(speedwell: Call, tmp_path: Path) -> None:
    told = speedwell("accelerate", "missing.onnx", "--json", cwd=tmp_path)
    facts = json.loads(told.stdout.splitlines()[-1])
    assert facts["event"] == "failed"
    assert facts["error"] == "ModelNotFoundError"
    assert facts["exit_code"] == told.returncode == 3
    assert "Traceback" in speedwell("accelerate", "missing.onnx", "--debug", cwd=tmp_path).stderr


def trials(run: Path) -> list[Outcome]:
    return [decode(Outcome, t) for t in w.as_json(run / "trials.json")["trials"]]


def start(world: Path, folder: Path, *more: str) -> subprocess.Popen[str]:
    """A run with much to try: three passes' settings on two engines."""
    return w.started(
        "accelerate", world / "slow_reader.onnx", "--data", world / "scans", "--engines=remembers,onnxruntime",
        "--passes=fuse,quantize_static,quantize_dynamic", "--run=run", "--out=bundle", "--budget=300s", "--rounds=4",
        "--calls=3", "--threads=1", *w.IMAGE_OPTIONS, *more, cwd=folder,
        environment={"PYTHONPATH": str(world / "plugins")},
    )  # fmt: skip


def stopped(process: subprocess.Popen[str], number: int, folder: Path) -> tuple[str, str]:
    """What was printed by a run that got signal ``number`` once its first winner was shown."""
    try:
        assert process.stdout is not None
        shown = []
        for line in process.stdout:
            shown.append(line)
            if "best so far" in line:
                break
        assert process.poll() is None, (shown, process.communicate())
        assert (folder / "bundle" / "manifest.json").is_file()
        process.send_signal(number)
        return process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def interrupted(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int, list[Outcome]]:
    """Ctrl-C in the middle: the folder, what was said, the exit code and the trials until then."""
    folder = tmp_path_factory.mktemp("interrupted")
    process = start(world, folder)
    _, said = stopped(process, signal.SIGINT, folder)
    shutil.copytree(folder / "bundle", folder / "kept")  # as it was before a resumed run confirms it
    return folder, said, process.returncode, trials(folder / "run")


def test_ctrl_c_names_the_command_that_goes_on(interrupted: tuple[Path, str, int, list[Outcome]]) -> None:
    folder, said, code, _ = interrupted
    assert code == 130
    assert "Stopped. Best so far is in bundle, not confirmed" in said, said
    assert f"speedwell accelerate --resume {folder / 'run'}" in said or "speedwell accelerate --resume run" in said
    assert "Traceback" not in said
    assert w.wait_for(lambda: not w.mentions(str(folder / "run")), 10), "no process is left"


def test_the_best_so_far_opens_and_says_that_it_is_not_confirmed(
    interrupted: tuple[Path, str, int, list[Outcome]], world: Path, speedwell: Call, tmp_path: Path
) -> None:
    folder = interrupted[0]
    found = speedwell("verify", folder / "kept", "--json", cwd=tmp_path)
    assert json.loads(found.stdout)["confirmed"] is False
    done = speedwell("run", folder / "kept", next((world / "scans").rglob("*.png")), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not confirmed" in done.stderr


def test_resuming_repeats_no_trial_and_confirm_now_ends_it(
    interrupted: tuple[Path, str, int, list[Outcome]], speedwell: Call
) -> None:
    folder, _, _, before = interrupted
    done = speedwell("accelerate", "--resume", "run", "--confirm-now", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    after = trials(folder / "run")
    assert [o.candidate.key for o in after] == [o.candidate.key for o in before], "nothing new is searched"
    for old, new in zip(before, after, strict=True):
        assert old.timings == new.timings or old.timings[0].candidate == new.timings[0].candidate
    assert "Confirmed" in done.stdout
    (verified,) = speedwell("verify", folder / "bundle", "--json", cwd=folder).stdout.splitlines()
    assert json.loads(verified)["confirmed"] is True
    openings = [e for e in Ledger.open(folder / "run").entries if e.kind == "opening"]
    assert [e.body["alpha"] for e in openings] == [0.05]

    again = speedwell("accelerate", "--resume", "run", "--confirm-now", cwd=folder)
    assert again.returncode == 0, again.stdout + again.stderr
    openings = [e for e in Ledger.open(folder / "run").entries if e.kind == "opening"]
    assert [e.body["alpha"] for e in openings] == [0.05, 0.025]
    assert "opened for time 2: alpha is 0.025" in " ".join(again.stdout.split())


@pytest.mark.slow
def test_sigterm_ends_it_as_well_and_a_resumed_search_goes_on(world: Path, speedwell: Call, tmp_path: Path) -> None:
    process = start(world, tmp_path)
    _, said = stopped(process, signal.SIGTERM, tmp_path)
    assert process.returncode == 130
    assert "--resume" in said
    with Store.open(tmp_path / "run") as store:
        before = [o.candidate.key for o in store.outcomes()]
    done = speedwell("accelerate", "--resume", "run", "--budget=40s", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    after = [o.candidate.key for o in trials(tmp_path / "run")]
    assert after[: len(before)] == before
    assert len(after) == len(set(after)), "no trial is repeated"
    assert "Confirmed" in done.stdout or "Keep the original" in done.stdout


def test_a_disk_that_is_full_is_told_and_the_run_goes_on_later(world: Path, speedwell: Call, tmp_path: Path) -> None:
    """A small file system of its own where that can be mounted; elsewhere a limit on the size of any file."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=260k", "tmpfs", str(small)], capture_output=True, check=False
    )
    arguments: list[Any] = [
        "accelerate", world / "reader.onnx", "--data", world / "scans", "--run=small/run", "--engines=remembers",
        "--passes=fuse", *w.QUICK_OPTIONS, *w.IMAGE_OPTIONS,
    ]  # fmt: skip
    try:
        if mounted.returncode == 0:
            done = speedwell(*arguments, cwd=tmp_path)
        else:
            limited = ("/bin/sh", "-c", 'ulimit -f 64; exec "$@"', "sh", sys.executable, "-m", "speedwell")
            done = speedwell(*arguments, cwd=tmp_path, program=limited)
        assert done.returncode not in (0, 1), done.stdout + done.stderr
        if mounted.returncode == 0:
            assert done.returncode in (7, 8), "the bundle or the run could not be written"
            assert "Make room" in done.stderr or "Free space" in done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert not list(small.glob("run/bundle/manifest.json")), "no half bundle"
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(small)], check=True)
