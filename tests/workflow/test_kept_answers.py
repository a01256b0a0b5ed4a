from pathlib import Path

import numpy as np
import pytest

from speedwell.core import Evidence
from speedwell.core.errors import RunError
from speedwell.workflow.kept_answers import answer_arrays, prepared_of
from speedwell.workflow.run_folder import RunFolder


def test_names_say_whose_each_array_is() -> None:
    one = Evidence("binary", np.array([1.0]), np.array([4]))
    arrays = answer_arrays({"original": one, "winner": one})
    assert sorted(arrays) == ["original_answers", "original_scores", "winner_answers", "winner_scores"]


def test_a_run_that_confirmed_nothing_says_how_to(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run")
    with pytest.raises(RunError, match="confirmed nothing"):
        prepared_of(run)
