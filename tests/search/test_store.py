from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import outcome

from speedwell.core import Candidate, Evidence, Failure, FailureKind, Outcome, Step, encode, loads
from speedwell.core.errors import OutputError, RunError
from speedwell.search import STORE_NAME, Store


def candidate(n: int) -> Candidate:
    return Candidate((Step("fuse", {"n": n}),), "onnxruntime")


def run(store: Store, n: int, **changes: object) -> Outcome:
    store.begin(n, candidate(n))
    return store.finish(replace(outcome(candidate(n), 1.5), **changes))  # type: ignore[arg-type]


def test_what_is_finished_comes_back_as_it_was(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        first = run(store, 0)
        second = run(store, 1, evidence=None, failure=Failure(FailureKind.CRASH, "time", "signal 11"))
    with Store.open(tmp_path) as store:
        back = store.outcomes()
        assert [encode(o) for o in back] == [encode(first), encode(second)]
        assert [o.number for o in back] == [0, 1]
        assert store.next_number == 2
        assert store.unfinished() == ()
        assert store.seconds == first.seconds + second.seconds


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(allow_nan=False), max_size=50), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50))
def test_evidence_comes_back_bit_by_bit(tmp_path_factory, scores, answers) -> None:
    evidence = Evidence("score", np.array(scores, np.float64), np.array(answers, np.int64))
    with Store.open(tmp_path_factory.mktemp("store")) as store:
        run(store, 0, evidence=evidence)
        back = store.outcomes()[0].evidence
    assert back is not None
    assert back.scores.tobytes() == evidence.scores.tobytes()
    assert back.answers.tobytes() == evidence.answers.tobytes()


def test_a_begun_trial_is_repeated_a_finished_one_never(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run(store, 0)
        store.begin(1, candidate(1))
    with Store.open(tmp_path) as store:
        assert store.unfinished() == ((1, candidate(1)),)
        store.begin(1, candidate(1))
        store.finish(outcome(candidate(1)))
        for number, of in ((0, candidate(0)), (7, candidate(0)), (0, candidate(9))):
            with pytest.raises(RunError, match="cannot begin"):
                store.begin(number, of)
        with pytest.raises(RunError, match="no trial that began"):
            store.finish(outcome(candidate(0)))
        with pytest.raises(RunError, match="no trial that began"):
            store.finish(outcome(candidate(9)))
        assert len(store.outcomes()) == 2


def test_a_number_that_no_record_can_hold_leaves_the_trial_begun(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.begin(0, candidate(0))
        with pytest.raises(ValueError, match="nan"):
            store.finish(replace(outcome(candidate(0)), metric=float("nan")))
        assert store.unfinished() == ((0, candidate(0)),)
        store.finish(outcome(candidate(0)))


def test_a_second_process_cannot_take_the_same_run(tmp_path: Path) -> None:
    with Store.open(tmp_path), pytest.raises(RunError, match="in use by another"):
        Store.open(tmp_path)
    Store.open(tmp_path).close()


def test_a_full_disk_is_a_typed_error_and_loses_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run(store, 0)
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        store.begin(1, candidate(1))
        noise = Evidence("score", np.random.default_rng(0).standard_normal(20_000), np.array([], np.int64))
        with pytest.raises(RunError, match="cannot grow") as caught:
            store.finish(replace(outcome(candidate(1)), evidence=noise))
        assert "--resume" in caught.value.fix
        assert [o.number for o in store.outcomes()] == [0]
        assert store.unfinished() == ((1, candidate(1)),)
        store._connection.execute("PRAGMA max_page_count = 1000000")
        store.finish(replace(outcome(candidate(1)), evidence=noise))
    with Store.open(tmp_path) as store:
        assert [o.number for o in store.outcomes()] == [0, 1]


def test_a_damaged_file_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / STORE_NAME).write_bytes(b"this is no database" * 100)
    with pytest.raises(RunError, match="damaged"):
        Store.open(tmp_path)


def test_a_changed_row_is_found(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run(store, 0)
    connection = sqlite3.connect(tmp_path / STORE_NAME)
    connection.execute("UPDATE trials SET outcome = replace(outcome, '0.9', '0.8')")
    connection.commit()
    connection.close()
    with Store.open(tmp_path) as store, pytest.raises(RunError, match="trial 0 does not match its checksum"):
        store.outcomes()


def test_bytes_overwritten_anywhere_never_give_a_wrong_outcome(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        written = [encode(run(store, n)) for n in range(3)]
    content = (tmp_path / STORE_NAME).read_bytes()
    rng = random.Random(0)
    for _ in range(60):
        at = rng.randrange(len(content) - 8)
        (tmp_path / STORE_NAME).write_bytes(content[:at] + rng.randbytes(8) + content[at + 8 :])
        try:
            with Store.open(tmp_path) as store:
                back = [encode(o) for o in store.outcomes()]
        except RunError:
            continue
        assert all(o in written for o in back)


def test_a_newer_store_and_a_missing_folder_say_so(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / STORE_NAME)
    connection.execute("PRAGMA user_version = 9")
    connection.commit()
    connection.close()
    with pytest.raises(RunError, match="newer version"):
        Store.open(tmp_path)
    with pytest.raises(RunError, match="cannot be read or written"):
        Store.open(tmp_path / "missing")


def test_the_export_reads_back_as_core_records(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        written = [encode(run(store, n)) for n in range(2)]
        store.export(tmp_path / "trials.json")
        text = (tmp_path / "trials.json").read_text()
        assert [encode(o) for o in loads(tuple[Outcome, ...], text)] == written
        assert [r["number"] for r in json.loads(text)["record"]] == [0, 1]
        with pytest.raises(OutputError):
            store.export(tmp_path / "missing" / "trials.json")


CHILD = """
import sys
from pathlib import Path
from worlds import outcome
from speedwell.core import Candidate, Step
from speedwell.search import Store
with Store.open(Path(sys.argv[1])) as store:
    for number, candidate in store.unfinished():
        store.begin(number, candidate)
        store.finish(outcome(candidate, 1.5))
        print(number, flush=True)
    print("open", flush=True)
    while True:
        number = store.next_number
        candidate = Candidate((Step("fuse", {"n": number}),), "onnxruntime")
        store.begin(number, candidate)
        store.finish(outcome(candidate, 1.5))
        print(number, flush=True)
"""


def test_kill_9_at_random_points_loses_no_finished_trial_and_repeats_none(tmp_path: Path) -> None:
    """Each child is killed while it writes; what it had reported as finished must be there for the next one."""
    rng = random.Random(1)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    reported: list[int] = []
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "open":
                break
            reported.append(int(line))
        time.sleep(rng.uniform(0.0, 0.15))
        child.send_signal(signal.SIGKILL)
        reported += [int(line) for line in child.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
        with Store.open(tmp_path) as store:
            numbers = [o.number for o in store.outcomes()]
            assert numbers == list(range(len(numbers))), "every number once, none missing"
            assert set(reported) <= set(numbers)
            assert len(store.unfinished()) <= 1
    assert len(set(reported)) == len(reported), "no trial was run to its end twice"
    assert len(reported) > 10
