from pathlib import Path

import pytest

from speedwell.core.errors import OutputError, ResumeError
from speedwell.workflow.run_folder import RunFolder


def test_only_its_owner_may_look_inside(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    for folder in (run.path, run.models, run.data, run.artifacts, run.scratch):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_run_takes_the_next_number(tmp_path: Path) -> None:
    assert RunFolder.create(tmp_path / "run").path.name == "run"
    assert RunFolder.create(tmp_path / "run").path.name == "run-1"


def test_without_a_name_it_is_the_date_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = RunFolder.create()
    assert run.path.parent == tmp_path / "runs"
    run.remove()
    assert not (tmp_path / "runs").exists(), "the only run takes the folder of runs with it"


def test_removing_one_run_leaves_the_others(tmp_path: Path) -> None:
    first, second = (RunFolder.create(tmp_path / "runs" / "a") for _ in range(2))
    first.remove()
    assert second.path.is_dir()


def test_what_is_written_is_whole_or_not_there(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.update(a=1)
    whole = {"a": 1, "b": [2], "folder": str(run.path)}
    assert run.update(b=[2]) == whole
    with pytest.raises(ValueError, match="cannot hold"):
        run.write("run.json", {"x": float("nan")})
    assert run.read("run.json") == whole
    assert {p.name for p in run.path.iterdir() if p.is_file()} == {"run.json"}
    assert run.read("nothing.json") is None
    with pytest.raises(ResumeError, match=r"has no nothing\.json"):
        run.require("nothing.json")


def test_a_run_may_be_moved(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.update(data=str(run.data), model=str(run.models / "m.onnx"), other=str(tmp_path / "run-2" / "x"))
    (run.artifacts / "a").mkdir()
    (run.artifacts / "a" / "record").write_text(f'{{"payload": "{run.artifacts}/a/m.onnx"}}')
    run.path.rename(tmp_path / "moved")
    moved = RunFolder.open(tmp_path / "moved")
    assert moved.read("run.json") == {
        "data": str(moved.data),
        "model": str(moved.models / "m.onnx"),
        "other": str(tmp_path / "run-2" / "x"),
        "folder": str(moved.path),
    }
    assert moved.read("artifacts/a/record") == {"payload": f"{moved.artifacts}/a/m.onnx"}
    assert RunFolder.open(tmp_path / "moved") == moved


def test_a_file_that_is_torn_is_a_typed_error(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    (run.path / "run.json").write_text('{"a": ')
    with pytest.raises(ResumeError, match="cannot be read"):
        run.read("run.json")


def test_a_folder_in_the_way_is_a_typed_error(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    (run.path / "result.json").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*result.json"):
        run.write("result.json", {})
    assert not list(run.path.glob(".result*"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--run FOLDER") as error:
        RunFolder.create(tmp_path / "file" / "run")
    assert error.value.exit_code == 8


def test_only_a_run_can_be_opened_again(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match="holds no run"):
        RunFolder.open(tmp_path)
    run = RunFolder.create(tmp_path / "run")
    run.update(a=1)
    assert RunFolder.open(run.path) == run


def test_tidying_leaves_an_empty_scratch(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    (run.scratch / "log").write_text("x")
    run.tidy()
    assert run.scratch.is_dir()
    assert not list(run.scratch.iterdir())
