"""Plans kept beside their ONNX file: found again, never trusted, whole or not there, one for each file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from speedwell.core.errors import OutputError, UnsupportedError
from speedwell.native import LowerOptions, Session, find_plan, keep_plan, kept_plan
from speedwell.native.plan_folder import read_plan
from speedwell.testing.engine_models import NETWORKS, static_int8

IMAGES, TEXTS = NETWORKS


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return static_int8(TEXTS, tmp_path_factory.mktemp("product")).payload


@pytest.fixture
def onnx(product: Path, tmp_path: Path) -> Path:
    return shutil.copy(product, tmp_path / "model.onnx")


@pytest.fixture
def lowerings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every lowering that is made from now on."""
    made: list[Path] = []
    lower = kept_plan.lower

    def counted(path: Path, folder: Path, options: LowerOptions) -> object:
        made.append(path)
        return lower(path, folder, options)

    monkeypatch.setattr(kept_plan, "lower", counted)
    return made


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_is_lowered_once_and_nothing_else_is_left(onnx: Path, lowerings: list[Path]) -> None:
    assert find_plan(onnx) is None
    folder = keep_plan(onnx)
    assert keep_plan(onnx) == find_plan(onnx) == folder == onnx.with_name("model.onnx.plan")
    assert lowerings == [onnx]
    assert names(folder) == ["lowered.json", "plan.json", "weights.safetensors"]
    assert names(onnx.parent) == ["model.onnx", "model.onnx.plan"]
    assert Session(folder).input_names == TEXTS.signature.input_names


def test_a_kept_plan_is_what_lowering_gives_in_any_process(onnx: Path) -> None:
    """So a bundle's bytes are equal for equal inputs."""
    folder = keep_plan(onnx)
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    code = "import sys; from pathlib import Path; from speedwell.native import keep_plan; keep_plan(Path(sys.argv[1]))"
    for seed in "12":
        shutil.rmtree(folder)
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, onnx], check=True, env=environment, timeout=100)
        assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _other_plan(folder: Path) -> None:
    content = json.loads((folder / "plan.json").read_text())
    content["operators"][0]["name"] = "another"
    (folder / "plan.json").write_text(json.dumps(content))


SPOILED: dict[str, Callable[[Path], object]] = {
    "weights changed": lambda f: _flip(f / "weights.safetensors"),
    "weights cut off": lambda f: (f / "weights.safetensors").write_bytes(b"x"),
    "weights gone": lambda f: (f / "weights.safetensors").unlink(),
    "another plan": _other_plan,
    "record gone": lambda f: (f / "lowered.json").unlink(),
    "record cut off": lambda f: (f / "lowered.json").write_bytes((f / "lowered.json").read_bytes()[:40]),
    "record no object": lambda f: (f / "lowered.json").write_text("[]"),
    "record too deep": lambda f: (f / "lowered.json").write_text("[" * 60_000),
    "record of no text": lambda f: (f / "lowered.json").write_bytes(b"\xff\xfe"),
    "empty": lambda f: [p.unlink() for p in f.iterdir()],
    "a file in its place": lambda f: (shutil.rmtree(f), f.write_text("x")),
    "a link in its place": lambda f: (shutil.rmtree(f), f.symlink_to("nowhere")),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_what_is_spoiled_is_not_found_and_is_made_again(
    onnx: Path, lowerings: list[Path], spoil: Callable[[Path], object]
) -> None:
    sound = read_plan(keep_plan(onnx))
    spoil(onnx.with_name("model.onnx.plan"))
    assert find_plan(onnx) is None
    folder = keep_plan(onnx)
    assert len(lowerings) == 2
    assert read_plan(folder) == sound
    assert find_plan(onnx) == folder
    assert names(onnx.parent) == ["model.onnx", "model.onnx.plan"]


def test_a_plan_of_another_file_of_the_same_name_is_not_found(onnx: Path, lowerings: list[Path]) -> None:
    keep_plan(onnx)
    TEXTS.make("onnx", onnx.parent).payload.replace(onnx)
    assert find_plan(onnx) is None
    assert not [o for o in read_plan(keep_plan(onnx)).operators if o.kind == "gemm_int8"]
    assert len(lowerings) == 2


def test_weights_in_a_file_of_their_own_belong_to_it(onnx: Path) -> None:
    keep_plan(onnx)
    onnx.with_name("model.onnx.data").write_bytes(b"weights beyond 2 GiB")
    assert find_plan(onnx) is None


def test_other_options_and_versions_are_other_plans(onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_plan(onnx)
    seven = LowerOptions(row_levels=127)
    assert find_plan(onnx, seven) is None
    monkeypatch.setattr(kept_plan, "VERSION", 2)
    assert find_plan(onnx) is None


def test_a_plan_that_other_code_made_is_read_but_not_kept(
    onnx: Path, lowerings: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle outlives the code that wrote it; a run must not measure what yesterday's lowering made."""
    folder = keep_plan(onnx)
    monkeypatch.setattr(kept_plan, "_code", lambda: "tomorrow")
    assert find_plan(onnx) == folder
    assert find_plan(onnx, this_code=True) is None
    keep_plan(onnx)
    assert len(lowerings) == 2
    assert find_plan(onnx, this_code=True) == folder


def test_two_at_once_give_one_sound_plan(onnx: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from speedwell.native import keep_plan, find_plan\n"
        "onnx = Path(sys.argv[1])\n"
        "sys.stdin.read()\n"
        "assert keep_plan(onnx) == find_plan(onnx)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, onnx], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    said = []
    ends = [threading.Thread(target=lambda p=p: said.append(p.communicate(timeout=100)[1])) for p in started]
    for end in ends:
        end.start()
    for end in ends:
        end.join()
    assert [p.returncode for p in started] == [0, 0, 0], said
    assert find_plan(onnx) is not None
    assert names(onnx.parent) == ["model.onnx", "model.onnx.plan"]


def test_what_a_killed_process_left_is_swept_and_a_living_one_s_is_not(onnx: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(timeout=60)
    for pid in (dead.pid, os.getpid()):
        (onnx.parent / f".model.onnx.plan.{pid}.abc.part").mkdir()
    keep_plan(onnx)
    assert names(onnx.parent) == [f".model.onnx.plan.{os.getpid()}.abc.part", "model.onnx", "model.onnx.plan"]


def test_what_cannot_be_lowered_leaves_nothing(tmp_path: Path) -> None:
    model = IMAGES.make("onnx", tmp_path)
    with pytest.raises(UnsupportedError, match="Conv"):
        keep_plan(model.payload)
    assert names(tmp_path) == [model.payload.name]


def test_a_place_that_cannot_be_written_to_is_said(onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_plan.tempfile, "mkdtemp", full)
    with pytest.raises(OutputError, match="No space left"):
        keep_plan(onnx)
