import os
import subprocess
from pathlib import Path

import pytest
import small_world as w

from speedwell.core import FailureKind, Hardware
from speedwell.core.errors import JobError
from speedwell.workflow.workers import Workers


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path, Hardware.here(), 1)


def test_a_job_runs_in_a_process_of_its_own_with_bounded_threads(workers: Workers) -> None:
    assert workers.job(os.getpid, 30).value != os.getpid()
    assert workers.job(os.getenv, 30, key="OMP_NUM_THREADS").value == "1"


def test_a_job_that_takes_too_long_is_a_timeout(workers: Workers) -> None:
    with pytest.raises(JobError) as error:
        workers.job(subprocess.run, 2.0, args=["sleep", "600"])
    assert error.value.kind == FailureKind.TIMEOUT.value
    assert not w.mentions(str(workers.scratch)), "and what it started is gone"
