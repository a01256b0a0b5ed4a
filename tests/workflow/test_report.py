from pathlib import Path
from typing import Any

import pytest

from speedwell.core.errors import RunError
from speedwell.workflow.report import winner_of, write_report
from speedwell.workflow.run_folder import RunFolder


def test_it_is_written_from_the_run_s_folder_alone(live_run: Any, tmp_path: Path) -> None:
    html = write_report(live_run.run, tmp_path / "r.html").read_text()
    assert "Promise kept" in html
    assert write_report(live_run.run) == live_run.run / "report.html"


def test_the_winner_is_read_back(live_run: Any) -> None:
    assert winner_of(RunFolder.open(live_run.run)) == live_run.result.best


def test_a_folder_without_a_run_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        write_report(tmp_path)
