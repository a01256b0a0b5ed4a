"""The extension is there where it must be, and the package installs where it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from speedwell.native import available, supported_isas

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src/speedwell/report/templates").iterdir()}
"""Files of a wheel that are not Python's: easily forgotten."""


def build(out: Path, *what: str, **environment: str) -> None:
    """``python -m build`` of this checkout into ``out``, with the tools that are installed here."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", *what, "-o", str(out), str(ROOT)], cwd=out.parent,
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_engine_is_built_or_says_what_is_missing() -> None:
    ok, why_not = available()
    assert ok == (why_not == "")
    if os.environ.get("SPEEDWELL_REQUIRE_NATIVE"):
        assert ok, f"SPEEDWELL_REQUIRE_NATIVE is set, and: {why_not}"


def test_every_machine_has_the_scalar_kernels_as_the_last_resort() -> None:
    if available()[0]:
        names = supported_isas()
        assert names[-1] == "scalar"
        assert len(set(names)) == len(names)


def test_without_a_compiler_a_wheel_for_any_machine_is_built(tmp_path: Path) -> None:
    build(tmp_path / "dist", "--wheel", CC="/bin/false", CXX="/bin/false")
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    names = names_in(wheel)
    assert names >= {"speedwell/native/__init__.py", "speedwell/engines/native.py", *TEMPLATES}
    assert not [n for n in names if n.endswith(".so")]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_sdist_holds_what_the_wheel_with_the_engine_is_built_from(tmp_path: Path) -> None:
    build(tmp_path / "dist")  # the wheel from the sdist
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {n.partition("/")[2] for n in archive.getnames()}
    assert packed >= {"CMakeLists.txt", "csrc/CMakeLists.txt", "csrc/module.cpp", "csrc/gemm/generate.py", "LICENSE"}
    assert packed >= {"pyproject.toml", "Makefile", "constraints.txt", "README.md", "tests/native/test_build.py"}
    assert not [n for n in packed if n.endswith((".so", ".pyc")) or n.startswith((".venv", ".ci", "build"))]
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    module = "speedwell/native/_engine" + sysconfig.get_config_var("EXT_SUFFIX")
    assert names_in(wheel) >= {module, *TEMPLATES}
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
        assert str(ROOT).encode() not in archive.read(module), "the module names a path of this machine"
    paths = str(tmp_path / "installed"), sysconfig.get_path("purelib")
    code = (
        f"import sys; sys.path += {paths!r}\n"
        "from speedwell.native import available, supported_isas\n"
        "assert available() == (True, ''), available()\n"
        "print(supported_isas()[-1])"
    )
    done = subprocess.run(  # -S: no editable installation comes first
        [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == "scalar", done.stderr
