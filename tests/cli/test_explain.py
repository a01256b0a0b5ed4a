import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from speedwell.native import available
from speedwell.testing.engine_models import NETWORKS, static_int8

Call = Callable[..., CompletedProcess[str]]
BUILT = available()[0]
built = pytest.mark.skipif(not BUILT, reason="the native engine is not built")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("explain")
    static_int8(NETWORKS[1], made).payload.replace(made / "texts.onnx")
    NETWORKS[0].make("onnx", made).payload.replace(made / "images.onnx")
    return made


@built
def test_the_plan_is_a_table_for_a_pipe_of_any_width(folder: Path) -> None:
    for columns in ("80", "200"):
        environment = {**os.environ, "COLUMNS": columns, "FORCE_COLOR": "1"}
        command = [sys.executable, "-m", "speedwell", "explain", "plan", "texts.onnx", "--shape", "input_ids=2x12"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=200
        )
        assert "Inputs   input_ids 2x12, attention_mask 2x12\n" in done.stdout
        assert "T by layer" in done.stdout
        assert "\x1b" not in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert done.stderr == ""


@built
def test_json_is_one_object_with_the_same_facts(speedwell: Call, folder: Path) -> None:
    done = speedwell(
        "explain", "plan", "texts.onnx", "--json", "--isa=scalar", "--threads=1", "--shape=input_ids=1x4", cwd=folder
    )
    told = json.loads(done.stdout)
    assert (told["isa"], told["threads"], told["shapes"]["attention_mask"]) == ("scalar", 1, [1, 4])
    assert told["operators"]
    assert told["products"]
    assert sum(told["run_shares"].values()) == pytest.approx(1)


@built
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere.onnx"], 3, "there is nothing at nowhere.onnx"),
        (["images.onnx"], 5, "unsupported: Conv"),
        (["texts.onnx", "--shape=input_ids=7"], 3, "input_ids has 2 axes"),
        (["texts.onnx", "--shape=ids=1x2"], 3, "there is no input 'ids'"),
        (["texts.onnx", "--shape=1x2"], 2, "--shape is '1x2'"),
        (["texts.onnx", "--shape=input_ids=1xtwo"], 2, "Write NAME=SIZES"),
        (["texts.onnx", "--isa=sse"], 2, "This CPU runs"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_or_two(
    speedwell: Call, folder: Path, arguments: list[str], code: int, said: str
) -> None:
    done = speedwell("explain", "plan", *arguments, cwd=folder)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    as_json = speedwell("explain", "plan", *arguments, "--json", cwd=folder)
    assert json.loads(as_json.stdout)["exit_code"] == code


def test_without_the_engine_it_says_how_to_build_it(folder: Path) -> None:
    code = (
        "import sys; sys.modules['speedwell.native._engine'] = None\n"
        "sys.argv = ['speedwell', 'explain', 'plan', 'texts.onnx']\n"
        "from speedwell.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 5
    assert "make native" in done.stderr
    assert "pip install" in done.stderr.lower()


def test_its_help_names_what_it_opens(speedwell: Call, tmp_path: Path) -> None:
    assert "plan" in speedwell("explain", "--help", cwd=tmp_path).stdout
    shown = " ".join(speedwell("explain", "plan", "--help", cwd=tmp_path).stdout.split())
    for word in ("ONNX file", "bundle", "--shape", "--isa", "--threads", "--json"):
        assert word in shown
    assert speedwell("explain", cwd=tmp_path).returncode == 2
    assert speedwell("explain", "poetry", cwd=tmp_path).returncode == 2
