import signal
import subprocess
import sys
import time
from pathlib import Path

import measure_jobs as jobs
import numpy as np
import pytest

from speedwell.core.errors import DataError, EngineError, EngineUnavailableError, JobError, UsageError
from speedwell.measure.job import run_job
from speedwell.measure.limits import Limits

LIMITS = Limits(60.0, 1 << 30)
MB = 1 << 20


def run(tmp_path, function, limits=LIMITS, environment=None, **arguments):
    return run_job(function, arguments, limits, tmp_path / "scratch", environment)


def test_a_job_answers_with_json(tmp_path):
    reply = run(tmp_path, jobs.add, a=1, b=2)
    assert reply.value == 3
    assert reply.seconds > 0
    assert 5 * MB < reply.peak_memory < 200 * MB


def test_a_job_answers_with_arrays(tmp_path):
    array = np.arange(1 << 20, dtype=np.float32).reshape(1024, 1024)
    np.testing.assert_array_equal(run(tmp_path, jobs.double, array=array).arrays["doubled"], array * 2)


def test_prints_of_libraries_do_not_break_the_answer(tmp_path):
    reply = run(tmp_path, jobs.noisy)
    assert reply.value == {"ok": True}
    np.testing.assert_array_equal(reply.arrays["x"], np.arange(3))


def test_a_worker_stands_where_its_parent_does_and_has_its_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "more")])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    value = run(tmp_path, jobs.where, environment={"OMP_NUM_THREADS": "1"}).value
    assert value["cwd"] == str(tmp_path)
    assert value["path"][-1] == str(tmp_path / "more")
    assert value["environ"]["OMP_NUM_THREADS"] == "1"
    assert value["environ"]["HF_HUB_OFFLINE"] == "1"
    assert "PYTHONPATH" not in value["environ"]
    assert len(value["argv"]) == 1


def failing(tmp_path, function, limits=LIMITS, **arguments):
    with pytest.raises(JobError) as caught:
        run(tmp_path, function, limits, **arguments)
    assert not list((tmp_path / "scratch").iterdir())
    return caught.value


def test_a_hang_is_a_timeout(tmp_path):
    assert failing(tmp_path, jobs.hang, Limits(0.5)).kind == "timeout"


def test_a_hang_in_native_code_that_holds_the_gil_is_a_timeout(tmp_path):
    begin = time.monotonic()
    assert failing(tmp_path, jobs.hang_in_native_code, Limits(0.5)).kind == "timeout"
    assert time.monotonic() - begin < 20


def test_seven_terabytes_are_out_of_memory(tmp_path):
    error = failing(tmp_path, jobs.seven_terabytes)
    assert error.kind == "out of memory"
    assert "MemoryError" in error.what


def test_memory_that_grows_past_the_limit_is_out_of_memory(tmp_path):
    error = failing(tmp_path, jobs.grow, Limits(60.0, 250 * MB))
    assert error.kind == "out of memory"
    assert "GB" in error.what


def test_a_native_bad_alloc_is_out_of_memory_and_shows_its_words(tmp_path):
    error = failing(tmp_path, jobs.bad_alloc)
    assert error.kind == "out of memory"
    assert "bad_alloc" in error.__notes__[0]


def test_a_librarys_own_words_for_no_memory_are_understood(tmp_path):
    assert failing(tmp_path, jobs.raise_bad_alloc_words).kind == "out of memory"


@pytest.mark.parametrize("name", ["SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"])
def test_a_fatal_signal_is_a_crash(tmp_path, name):
    error = failing(tmp_path, jobs.die, number=int(signal.Signals[name]))
    assert error.kind == "crash"
    assert name in error.what


def test_a_segmentation_fault_is_a_crash_and_its_stack_is_kept(tmp_path):
    error = failing(tmp_path, jobs.segfault)
    assert error.kind == "crash"
    assert "segfault" in error.__notes__[0]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_a_signal_from_elsewhere_is_killed(tmp_path, name):
    assert failing(tmp_path, jobs.die, number=int(signal.Signals[name])).kind == "killed"


@pytest.mark.parametrize("code", [0, 7])
def test_an_exit_without_an_answer_is_silent_whatever_its_code(tmp_path, code):
    error = failing(tmp_path, jobs.leave, code=code)
    assert error.kind == "silent exit"
    assert f"exit code {code}" in error.what


def test_an_exception_is_an_error_with_its_words_and_its_trace(tmp_path):
    error = failing(tmp_path, jobs.raise_value_error)
    assert (error.kind, error.what) == ("error", "ValueError: the shape is wrong")
    assert "raise_value_error" in error.__notes__[0]


def test_a_job_error_of_the_worker_keeps_its_kind(tmp_path):
    assert failing(tmp_path, jobs.raise_job).kind == "not finite"


def test_an_unavailable_engine_comes_back_as_itself(tmp_path):
    with pytest.raises(EngineUnavailableError) as caught:
        run(tmp_path, jobs.raise_unavailable)
    assert caught.value.fix == "pip install openvino"


def test_a_plugins_own_error_comes_back_as_the_class_it_derives_from(tmp_path):
    with pytest.raises(EngineError, match="mine"):
        run(tmp_path, jobs.raise_plugin)
    with pytest.raises(DataError):
        run(tmp_path, jobs.raise_data)


@pytest.mark.parametrize("function", [jobs.give_object, jobs.give_objects])
def test_what_is_neither_json_nor_arrays_is_refused(tmp_path, function):
    assert failing(tmp_path, function).kind == "error"


def test_a_garbled_answer_is_an_error_not_a_hang(tmp_path):
    error = failing(tmp_path, jobs.garble)
    assert error.kind == "error"
    assert "cannot be read" in error.what


def test_what_cannot_be_imported_by_name_is_refused_before_a_process_starts(tmp_path):
    with pytest.raises(UsageError, match="importable"):
        run(tmp_path, lambda: 1)
    with pytest.raises(UsageError, match="cannot be sent"):
        run(tmp_path, jobs.add, a=lambda: 1, b=2)
    assert not (tmp_path / "scratch").exists()


def test_a_script_without_a_main_guard_runs_once(tmp_path):
    (tmp_path / "mine.py").write_text("def work(x):\n    return x + 1\n")
    (tmp_path / "script.py").write_text(
        "import mine\nfrom pathlib import Path\nfrom speedwell.measure import Limits, run_job\n"
        "print(run_job(mine.work, {'x': 1}, Limits(60), Path('scratch')).value)\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "2\n", done.stderr


def test_a_name_in_the_working_folder_does_not_shadow_the_workers_own_imports(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')\n")
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path, jobs.add, a=1, b=1).value == 2


def test_the_worker_imports_nothing_heavy():
    code = "import sys, speedwell.measure.worker; print([m for m in ('numpy', 'torch', 'onnx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_scratch_is_private(tmp_path):
    run(tmp_path, jobs.add, a=1, b=1)
    assert Path(tmp_path / "scratch").stat().st_mode & 0o077 == 0
