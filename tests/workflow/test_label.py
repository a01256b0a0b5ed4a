import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import speedwell
from speedwell.core.errors import DataNotFoundError, LabelMismatchError, OutputError, RunError
from speedwell.workflow.confirming import scores_path


@pytest.fixture
def differing(live_run: Any, tmp_path: Path) -> Path:
    """A copy of a finished run in which the winner answers 5 samples wrongly that the original had right."""
    import shutil

    run = tmp_path / "run"
    shutil.copytree(live_run.run, run)
    with np.load(scores_path(run)) as arrays:
        kept = dict(arrays)
    right = np.flatnonzero(kept["original_scores"] == 1)[:5]
    kept["winner_answers"][right] = (kept["winner_answers"][right] + 1) % 10
    np.savez(scores_path(run), **kept)
    return run


def test_only_differing_samples_are_asked_for_and_decide(differing: Path, tmp_path: Path) -> None:
    asked = speedwell.label(differing, out=tmp_path / "ask.csv")
    assert asked.asked == 5
    assert f"5 of {asked.n:,} answers differ" in asked.text
    with (tmp_path / "ask.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    for row in rows:
        row["label"] = row["original"]
    with (tmp_path / "filled.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    found = speedwell.label(differing, labels=tmp_path / "filled.csv", max_drop="2pt")
    assert found.claim is not None
    assert (found.claim.n12, found.claim.n21) == (0, 5)
    assert found.claim.verdict.value == "kept"
    strict = speedwell.label(differing, labels=tmp_path / "filled.csv", max_drop="0.1pt")
    assert strict.claim is not None
    assert not strict.claim.verdict.holds


def test_bad_label_files_are_typed_errors(differing: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("index,sample,original,winner,label\n0,x,1,2,seven\n")
    with pytest.raises(LabelMismatchError, match=r"bad.csv:2: 'seven' is no class"):
        speedwell.label(differing, labels=tmp_path / "bad.csv")
    with pytest.raises(DataNotFoundError, match="there is no file"):
        speedwell.label(differing, labels=tmp_path / "no.csv")
    with pytest.raises(OutputError, match="cannot write"):
        speedwell.label(differing, out=tmp_path / "no" / "ask.csv")
    with pytest.raises(RunError):
        speedwell.label(tmp_path)
