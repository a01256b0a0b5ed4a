from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Call = Callable[..., CompletedProcess[str]]


def test_an_unknown_demo_names_those_there_are(speedwell: Call, tmp_path: Path) -> None:
    done = speedwell("demo", "poetry", cwd=tmp_path)
    assert done.returncode == 2
    assert "speedwell demo images   or   speedwell demo text" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told_before_training(speedwell: Call, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = speedwell("demo", "--out", "taken", cwd=tmp_path)
    assert done.returncode == 8
    assert "cannot write into" in done.stderr
    assert "Training" not in done.stdout
