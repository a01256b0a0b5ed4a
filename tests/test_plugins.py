"""The example plug-in, built and installed as a user would: entry points are found, suites pass, names stay unique."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent.parent / "examples" / "plugin"
PASS, ENGINE = "share_constants", "onnxruntime_basic"


def python(*arguments: str, path: tuple[Path, ...], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run this Python with ``path`` in front."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(p) for p in path), "OMP_NUM_THREADS": "2"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip put the plug-in's wheel."""
    folder = tmp_path_factory.mktemp("plugin")
    wheels, target = folder / "wheels", folder / "target"
    built = python("-m", "build", "--wheel", "--no-isolation", "-o", str(wheels), str(PLUGIN), path=(), cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = wheels.glob("*.whl")
    options = ("--no-deps", "--no-index", "--no-compile", "--quiet", "--disable-pip-version-check")
    done = python("-m", "pip", "install", *options, "--target", str(target), str(wheel), path=(), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_the_wheel_holds_the_modules_and_the_entry_points(installed: Path) -> None:
    (points,) = installed.glob("*.dist-info/entry_points.txt")
    text = points.read_text()
    assert "[speedwell.passes]" in text
    assert "[speedwell.engines]" in text
    assert {p.name for p in (installed / "speedwell_example").glob("*.py")} >= {"share_constants.py", "basic_engine.py"}


def test_both_are_in_the_registries_and_named_by_doctor(installed: Path, tmp_path: Path) -> None:
    code = (
        "from speedwell import doctor, engines, passes\n"
        "from speedwell.core import Engine, Pass, Step\n"
        f"assert {ENGINE!r} in engines.REGISTRY.names() and {PASS!r} in passes.REGISTRY.names()\n"
        f"assert isinstance(engines.REGISTRY.get({ENGINE!r}), Engine)\n"
        f"assert isinstance(passes.REGISTRY.get({PASS!r}), Pass)\n"
        f"assert passes.build(Step({PASS!r}, {{'least_bytes': 8}})).least_bytes == 8\n"
        f"assert {ENGINE!r} in doctor().text\n"
    )
    done = python("-c", code, path=(installed,), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_without_the_plug_in_its_names_are_unknown(tmp_path: Path) -> None:
    done = python("-c", f"from speedwell import engines; engines.REGISTRY.get({ENGINE!r})", path=(), cwd=tmp_path)
    assert done.returncode != 0
    assert f"no engine named {ENGINE!r}" in done.stderr


def test_the_conformance_suites_pass(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "test_conformance.py").write_text((PLUGIN / "test_conformance.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -p no:cacheprovider\n")
    done = python("-m", "pytest", "test_conformance.py", path=(installed,), cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
    assert "failed" not in done.stdout


@pytest.mark.parametrize("taken", ["onnxruntime", ENGINE])
def test_a_name_that_is_taken_is_an_error_at_first_use(installed: Path, tmp_path: Path, taken: str) -> None:
    """By a built-in engine, or by another plug-in."""
    second = tmp_path / "second"
    info = second / "second_example-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: second-example\nVersion: 1.0\n")
    point = f"[speedwell.engines]\n{taken} = speedwell_example.basic_engine:BasicEngine\n"
    (info / "entry_points.txt").write_text(point)
    code = "from speedwell import engines\nengines.REGISTRY.names()"
    done = python("-c", code, path=(installed, second), cwd=tmp_path)
    assert "DuplicateNameError" in done.stderr, done.stderr
    assert f"the name {taken!r}" in done.stderr


def test_the_example_files_are_short(installed: Path) -> None:
    assert installed.is_dir()
    for file in PLUGIN.rglob("*.py"):
        assert len(file.read_text().splitlines()) <= 80, file


def test_a_wheel_of_it_holds_no_path_of_this_machine(installed: Path) -> None:
    for wheel in (installed.parent / "wheels").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            content = b"".join(archive.read(name) for name in archive.namelist())
        assert str(PLUGIN.parent.parent).encode() not in content
