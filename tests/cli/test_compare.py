import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import onnx
import pytest
import small_world as w
from onnx import numpy_helper

Call = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network with one class's weights gone."""
    graph = w.reader_onnx()
    tensor = next(t for t in graph.graph.initializer if t.name == "head.weight")
    weights = numpy_helper.to_array(tensor).copy()
    weights[3] = 0
    tensor.CopyFrom(numpy_helper.from_array(weights, "head.weight"))
    path = tmp_path_factory.mktemp("worse") / "worse.onnx"
    onnx.save(graph, path)
    return path


def test_a_bundle_against_its_original(
    finished: tuple[Path, CompletedProcess[str]], world: Path, speedwell: Call
) -> None:
    done = speedwell(
        "compare", world / "reader.onnx", "bundle", "--data", world / "scans", "--rounds=0", *w.IMAGE_OPTIONS,
        cwd=finished[0],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Accuracy   kept")
    assert "1,397 samples" in done.stdout


def test_a_worse_network_has_lost_and_the_same_one_is_not_faster(world: Path, worse: Path, speedwell: Call) -> None:
    done = speedwell(
        "compare", world / "reader.onnx", worse, "--data", world / "scans", "--rounds=4", "--calls=3", "--threads=1",
        "--json", *w.IMAGE_OPTIONS, cwd=worse.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["accuracy"]["verdict"] == "lost"
    assert facts["n"] == 1397
    (speed,) = facts["speed"]
    assert speed["pairs"] == 4
    assert speed["ratio"]["low"] < speed["ratio"]["estimate"] < speed["ratio"]["high"]
    assert len(facts["a_a"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "compare needs data"),
        (("--data=nowhere",), 4, "Check the path after --data"),
        (("--data=.", "--max-drop=5q"), 2, "1pt"),
    ],
)
def test_bad_calls_say_what_to_give(
    world: Path, speedwell: Call, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = speedwell("compare", world / "reader.onnx", world / "reader.onnx", *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert words in done.stderr
