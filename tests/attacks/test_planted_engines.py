"""Nine ways for an engine to go wrong (security.md D4), each planted by a plug-in: nine rows, and the run ends well."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest
import small_world as w

from speedwell.core import FailureKind, Outcome, decode

PLANTED = {
    "Hangs": (FailureKind.TIMEOUT, "compile"),
    "Segfaults": (FailureKind.CRASH, "compile"),
    "Hungry": (FailureKind.OUT_OF_MEMORY, "compile"),
    "Leaves": (FailureKind.SILENT_EXIT, "compile"),
    "Killed": (FailureKind.KILLED, "compile"),
    "Wrong": (FailureKind.WRONG_OUTPUT, "check"),
    "NotFinite": (FailureKind.NOT_FINITE, "check"),
    "Misshapen": (FailureKind.WRONG_SHAPE, "check"),
    "Double": (FailureKind.WRONG_DTYPE, "check"),
}
LIMIT_SECONDS = 10.0


@pytest.fixture(scope="module")
def run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("planted")
    plugins = w.write_engines(folder / "plugins", *PLANTED, "Remembers")
    engines = ",".join(name.lower() for name in (*PLANTED, "Remembers"))
    done = w.command(
        "accelerate", world / "slow_reader.onnx", "--data", world / "scans", f"--engines={engines}",
        "--passes=half_torch",  # it takes no ONNX: engines only
        "--run=run", "--out=bundle", "--budget=10m", "--rounds=4", "--calls=15", "--threads=1", *w.IMAGE_OPTIONS,
        cwd=folder, environment={"PYTHONPATH": str(plugins)}, program=w.main_with_limit(LIMIT_SECONDS),
    )  # fmt: skip
    return folder, done


def rows(folder: Path) -> dict[str, Outcome]:
    """The outcome of the original network on each engine."""
    trials = [decode(Outcome, t) for t in w.as_json(folder / "run" / "trials.json")["trials"]]
    return {o.candidate.engine: o for o in trials if not o.candidate.steps}


@pytest.mark.parametrize("name", PLANTED)
def test_each_fault_is_a_row_of_its_own_kind(run: tuple[Path, CompletedProcess[str]], name: str) -> None:
    outcome = rows(run[0])[name.lower()]
    kind, stage = PLANTED[name]
    assert outcome.failure is not None
    assert outcome.failure.kind is kind, outcome.failure
    assert outcome.failure.stage == stage
    assert outcome.failure.message
    assert not outcome.timings


def test_the_run_ends_well_with_the_one_that_works(run: tuple[Path, CompletedProcess[str]]) -> None:
    folder, done = run
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    result = w.as_json(folder / "run" / "result.json")["record"]
    assert result["best"]["engine"] == "remembers"
    assert (folder / "bundle" / "manifest.json").is_file()


def test_the_report_says_why_each_lost(run: tuple[Path, CompletedProcess[str]]) -> None:
    html = (run[0] / "bundle.report.html").read_text()
    for name in PLANTED:
        assert name.lower() in html
    result = w.as_json(run[0] / "run" / "result.json")["record"]
    refused = {r["candidate"]["engine"]: r["reason"] for r in result["refused"] if not r["candidate"]["steps"]}
    assert {n.lower() for n in PLANTED} <= set(refused)
    assert all(refused.values())


def test_no_process_is_left(run: tuple[Path, CompletedProcess[str]]) -> None:
    assert w.wait_for(lambda: not w.mentions(str(run[0])), 10), w.mentions(str(run[0]))
