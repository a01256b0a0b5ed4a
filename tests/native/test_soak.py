"""Sessions under long use: many threads on one of them, and very many opened and closed, with nothing left behind."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from speedwell.core.errors import InputMismatchError, PlanError
from speedwell.native import Session, lower, supported_isas
from speedwell.passes import QuantizeStatic, reference
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import Case, case_of

from .lowered import BUILT

pytestmark = pytest.mark.skipif(not BUILT, reason="the executor is not built")
BERT = next(n for n in NETWORKS if n.name == "bert")
SHAPES = ((1, 1), (1, 12), (2, 5), (3, 31), (8, 16), (1, 64))
RUNS, CALLERS = 1_000, 8
WARM_UP = 500
GROWTH = 1 << 20
"""Bytes that resident memory may grow over all sessions (40 KB were seen): 100 for each of ten thousand."""


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    yield case_of(QuantizeStatic(weight_bits=7), BERT, tmp_path_factory.mktemp("case"))
    reference.forget()


@pytest.fixture(scope="module")
def plan(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    lower(case.after.payload, folder)
    return folder


@pytest.mark.parametrize("isa", [isa for isa in supported_isas() if isa != "scalar"] or ["scalar"])
def test_a_thousand_runs_over_eight_threads_on_one_session_are_right(case: Case, plan: Path, isa: str) -> None:
    inputs = [case.inputs(batch, sequence, seed) for seed in range(3) for batch, sequence in SHAPES]
    alone = Session(plan, threads=1, isa=isa)
    want = [alone.run(i)["output"] for i in inputs]
    assert len({w.tobytes() for w in want}) == len(inputs)
    shared = Session(plan, threads=2, isa=isa)
    together = threading.Barrier(CALLERS)

    def caller(number: int) -> int:
        order = np.random.default_rng(number).integers(0, len(inputs), RUNS // CALLERS)
        together.wait()
        # what was given before must not change under its owner while others run
        given = [(i, shared.run(inputs[i])["output"]) for i in order]
        return sum(np.array_equal(y, want[i]) for i, y in given)

    with ThreadPoolExecutor(CALLERS) as pool:
        assert sum(pool.map(caller, range(CALLERS))) == RUNS


def test_an_error_in_one_thread_leaves_the_others_right(case: Case, plan: Path) -> None:
    shared, inputs = Session(plan, threads=2), case.inputs(2, 12)
    want = shared.run(inputs)["output"]
    wrong = {name: array.astype(np.float32) for name, array in inputs.items()}

    def caller(number: int) -> bool:
        if number % 2:
            with pytest.raises(InputMismatchError, match="int64"):
                shared.run(wrong)
            return True
        return np.array_equal(shared.run(inputs)["output"], want)

    with ThreadPoolExecutor(CALLERS) as pool:
        assert all(pool.map(caller, range(200)))


def held() -> tuple[int, int, int]:
    """Resident bytes, open files, threads."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd")), threads


def growth(plan: Path, broken: Path, opens: int, inputs: list[np.ndarray]) -> tuple[int, int, int]:
    """What ``held`` grows by in this process over as many sessions opened and closed, a broken plan in between."""
    want = Session(plan, threads=1).run(inputs)["output"]

    def opened(count: int) -> None:
        for i in range(count):
            session = Session(plan, threads=1 + i % 2)
            if i % 4 == 0:  # a session that never ran must go as well
                assert np.array_equal(session.run(inputs)["output"], want)
            if i % 10 == 0:
                with pytest.raises(PlanError):
                    Session(broken)

    opened(WARM_UP)
    before = held()
    opened(opens)
    return tuple(a - b for a, b in zip(held(), before, strict=True))  # type: ignore[return-value]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("opens", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_sessions_opened_and_closed_leave_nothing_behind(case: Case, plan: Path, tmp_path: Path, opens: int) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "plan.json").write_text((plan / "plan.json").read_text())
    whole = (plan / "weights.safetensors").read_bytes()
    (broken / "weights.safetensors").write_bytes(whole[: len(whole) // 2])
    # In a process of its own: in one that has run a thousand tests the heap moves by megabytes for other reasons.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        memory, files, threads = pool.submit(growth, plan, broken, opens, case.inputs(1, 5)).result()
    assert (files, threads) == (0, 0)
    if "ASAN_OPTIONS" not in os.environ:  # it keeps what was freed for a while, and looks for leaks itself
        assert memory < GROWTH
