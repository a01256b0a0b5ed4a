import sys
from pathlib import Path

import pytest

from speedwell.core import try_import
from speedwell.core.errors import MissingExtraError


def test_what_is_installed_is_imported() -> None:
    assert try_import("json").dumps([1]) == "[1]"


def test_the_message_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match="openvino cannot be imported") as error:
        try_import("openvino")
    assert error.value.fix == 'pip install "speedwell[openvino]"'
    assert error.value.exit_code == 6


def test_a_library_of_no_extra_is_named_itself() -> None:
    with pytest.raises(MissingExtraError) as error:
        try_import("no_such_library.part")
    assert error.value.fix == "pip install no_such_library"


def test_a_broken_library_speaks_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "halfthere.py").write_text("raise ImportError('libfoo.so.3 is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match=r"libfoo\.so\.3 is missing"):
        try_import("halfthere")
