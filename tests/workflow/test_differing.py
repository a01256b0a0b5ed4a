from pathlib import Path
from typing import Any

import pytest

from speedwell.core.errors import RunError
from speedwell.workflow.differing import differing_of, shown_samples
from speedwell.workflow.run_folder import RunFolder


def test_a_lossless_winner_differs_nowhere(live_run: Any) -> None:
    folder = RunFolder.open(live_run.run)
    found = differing_of(folder)
    assert len(found.original.answers) == len(found.split)
    assert len(found.index) == 0
    assert shown_samples(folder) == []


def test_classes_are_named_where_names_are_known(live_run: Any) -> None:
    found = differing_of(RunFolder.open(live_run.run))
    assert found.name(3) == "3"
    assert found.name(-1) == "-1"


def test_a_run_that_confirmed_nothing_says_how_to(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    run.update(a=1)
    with pytest.raises(RunError, match="confirmed nothing") as error:
        differing_of(run)
    assert "--confirm-now" in error.value.fix
