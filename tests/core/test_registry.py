from pathlib import Path

import pytest

from speedwell.core import Registry
from speedwell.core.errors import DuplicateNameError, SpeedwellError, UnknownNameError


def installed(folder: Path, distribution: str, points: str) -> None:
    """A distribution with entry points of the group "speedwell.toys"."""
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[speedwell.toys]\n{points}\n")


def registry() -> Registry[dict[str, int]]:
    return Registry("speedwell.toys", [("ball", lambda: {"round": 1}), ("cube", lambda: {"round": 0})])


def test_built_ins_keep_their_order() -> None:
    assert registry().names() == ("ball", "cube")
    assert list(registry()) == [{"round": 1}, {"round": 0}]


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match="no toy named 'kite'") as error:
        registry().get("kite")
    assert error.value.fix == "There are: ball, cube"


def test_a_plug_in_comes_by_entry_point_and_loads_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "kites", "kite = no_module_of_that_name:Kite\ndict = builtins:dict")
    monkeypatch.syspath_prepend(tmp_path)
    toys = registry()
    assert toys.names() == ("ball", "cube", "dict", "kite")
    assert toys.get("dict") == {}
    with pytest.raises(SpeedwellError, match=r"'kite' \(no_module_of_that_name:Kite\) fails to load"):
        toys.get("kite")


@pytest.mark.parametrize("points", ["ball = builtins:dict", "kite = builtins:dict"])
def test_a_name_that_is_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: str) -> None:
    installed(tmp_path / "a", "first", "kite = builtins:dict")
    installed(tmp_path / "b", "second", points)
    monkeypatch.syspath_prepend(tmp_path / "a")
    monkeypatch.syspath_prepend(tmp_path / "b")
    with pytest.raises(DuplicateNameError, match="is taken already"):
        registry().names()
