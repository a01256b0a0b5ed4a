from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Call = Callable[..., CompletedProcess[str]]


def test_it_is_written_again_and_its_path_printed(
    finished: tuple[Path, CompletedProcess[str]], speedwell: Call, tmp_path: Path
) -> None:
    done = speedwell("report", finished[0] / "run", "--out", "again.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "again.html"
    html = (tmp_path / "again.html").read_text()
    assert "remembers" in html
    assert "Promise kept" in html


def test_a_folder_without_a_run_is_exit_code_8(speedwell: Call, tmp_path: Path) -> None:
    done = speedwell("report", tmp_path, cwd=tmp_path)
    assert done.returncode == 8
    assert "holds no run" in done.stderr


def test_a_place_that_cannot_be_written_is_a_typed_error(
    finished: tuple[Path, CompletedProcess[str]], speedwell: Call, tmp_path: Path
) -> None:
    done = speedwell("report", finished[0] / "run", "--out", "no/report.html", cwd=tmp_path)
    assert done.returncode == 8
    assert "Traceback" not in done.stderr
