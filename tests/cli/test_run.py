import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Call = Callable[..., CompletedProcess[str]]


def test_files_are_answered_one_a_line(
    finished: tuple[Path, CompletedProcess[str]], world: Path, speedwell: Call
) -> None:
    files = [sorted((world / "scans" / d).iterdir())[0] for d in "0123456789"]
    done = speedwell("run", "bundle", *files, "--json", cwd=finished[0])
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["input"] for a in answers] == [str(f) for f in files]
    assert sum(a["label"] == d for a, d in zip(answers, "0123456789", strict=True)) >= 8
    plain = speedwell("run", "bundle", files[0], cwd=finished[0])
    assert plain.stdout.split()[-1] == answers[0]["label"]


def test_what_is_no_file_is_named(
    finished: tuple[Path, CompletedProcess[str]], speedwell: Call, tmp_path: Path
) -> None:
    bundle = finished[0] / "bundle"
    done = speedwell("run", bundle, "nowhere.png", cwd=tmp_path)
    assert done.returncode == 4
    assert "nowhere.png is not a file" in done.stderr
    assert speedwell("run", bundle, "@nowhere.txt", cwd=tmp_path).returncode == 2
    (tmp_path / "text.png").write_text("no image")
    broken = speedwell("run", bundle, "text.png", cwd=tmp_path)
    assert broken.returncode == 4
    assert "Traceback" not in broken.stderr


def test_a_bundle_that_is_not_there_is_exit_code_7(speedwell: Call, tmp_path: Path) -> None:
    assert speedwell("run", "nowhere", "x", cwd=tmp_path).returncode == 7
