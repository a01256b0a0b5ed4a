from pathlib import Path

import pytest

from speedwell.core.errors import DataNotFoundError
from speedwell.workflow.data_place import absolute, found


def test_paths_become_absolute_and_scenes_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert found("data", "data") == absolute(Path("data")) == str(tmp_path / "data")
    assert found("scenes:digits?n=20", "confirmation") == "scenes:digits?n=20"


def test_a_path_at_which_nothing_lies_is_named_with_its_option() -> None:
    with pytest.raises(DataNotFoundError, match="no-such-place") as error:
        found("no-such-place", "selection")
    assert "--selection" in error.value.fix
