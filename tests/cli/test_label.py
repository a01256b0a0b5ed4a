import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import small_world as w

Call = Callable[..., CompletedProcess[str]]


def test_labels_are_asked_for_only_where_the_answers_differ_and_finish_the_verdict(
    unlabelled: Path, speedwell: Call
) -> None:
    promise = w.as_json(unlabelled / "run" / "result.json")["record"]["promise"]
    assert promise["kind"] == "agreement"
    asked = speedwell("label", "run", "--out=ask.csv", cwd=unlabelled)
    assert asked.returncode == 0, asked.stderr
    assert "answers differ; only these need a label" in asked.stdout
    with (unlabelled / "ask.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert 1 <= len(rows) < 100
    assert all(r["original"] != r["winner"] and r["label"] == "" for r in rows)

    truth = np.load(unlabelled / "labels.npy")
    for row in rows:  # the origin of a row of an npz ends in its number
        row["label"] = str(truth[int("".join(c if c.isdigit() else " " for c in row["sample"]).split()[-1])])
    with (unlabelled / "filled.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    done = speedwell("label", "run", "--labels=filled.csv", "--max-drop=5pt", "--json", cwd=unlabelled)
    assert done.returncode == 0, done.stderr
    claim = json.loads(done.stdout)["claim"]
    assert claim["n12"] + claim["n21"] <= len(rows)
    assert claim["n21"] > claim["n12"], "an answer turned by one class is mostly wrong"
    assert claim["verdict"] in ("kept", "undecided")
    assert speedwell("label", "run", "--labels=filled.csv", cwd=unlabelled).stdout.strip()


def test_a_label_that_is_no_class_is_named_with_its_line(unlabelled: Path, speedwell: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("index,sample,original,winner,label\n0,x,1,2,seven\n")
    done = speedwell("label", unlabelled / "run", "--labels=bad.csv", cwd=tmp_path)
    assert done.returncode == 4
    assert "bad.csv:2: 'seven' is no class" in done.stderr


def test_missing_labels_and_runs_are_typed_errors(unlabelled: Path, speedwell: Call, tmp_path: Path) -> None:
    done = speedwell("label", unlabelled / "run", "--labels=nowhere.csv", cwd=tmp_path)
    assert done.returncode == 4
    assert "there is no file nowhere.csv" in done.stderr
    assert speedwell("label", "nowhere", cwd=tmp_path).returncode == 8
