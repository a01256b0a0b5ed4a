from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedwell.inputs.rows import Rows


def written(folder, array):
    path = folder / "rows.npy"
    np.save(path, array)
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 30),
    shape=st.lists(st.integers(0, 5), max_size=3),
    dtype=st.sampled_from(["uint8", "bool", "int64", "float16", "float32"]),
    most=st.sampled_from([0, 1 << 30]),
    data=st.data(),
)
def test_rows_are_those_of_the_array_mapped_or_read(tmp_path, count, shape, dtype, most, data):
    array = np.random.default_rng(count).integers(0, 2, (count, *shape)).astype(dtype)
    rows = Rows(written(tmp_path, array), most)
    index = data.draw(st.lists(st.integers(0, count - 1), max_size=8))
    first, last = data.draw(st.integers(0, count)), data.draw(st.integers(0, count))
    assert len(rows) == count
    for got, wanted in (
        (rows.gather(index), array[np.array(index, np.int64)]),
        (rows.gather(np.array(index, np.int64)), array[np.array(index, np.int64)]),
        (rows[count - 1], array[count - 1]),
        (rows[-1], array[-1]),
        (rows[first:last], array[first:last]),
        (rows[:], array),
    ):
        assert got.dtype == wanted.dtype
        assert got.shape == wanted.shape
        assert np.array_equal(got, wanted)


def test_a_large_file_is_read_and_a_small_one_mapped(tmp_path):
    path = written(tmp_path, np.zeros((100, 8), np.uint8))
    assert isinstance(Rows(path)[:5], np.memmap)
    assert not isinstance(Rows(path, 799)[:5], np.memmap)
    assert isinstance(Rows(path, 800)[:5], np.memmap)


@pytest.mark.parametrize("most", [0, 1 << 30])
def test_a_row_that_is_not_there_is_an_index_error(tmp_path, most):
    rows = Rows(written(tmp_path, np.zeros((3, 2))), most)
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            rows[wrong]
    with pytest.raises(IndexError):
        rows.gather([0, 3])


def test_what_holds_no_rows_is_named(tmp_path):
    path = written(tmp_path, np.zeros((40, 40)))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"rows\.npy is cut off"):
        Rows(path)
    for wrong in (np.float32(1), np.asfortranarray(np.zeros((3, 4))), np.array(["a", None], object)):
        with pytest.raises(ValueError, match="holds no rows"):
            Rows(written(tmp_path, wrong))


def test_a_file_that_shrinks_is_an_error_and_no_end_of_the_process(tmp_path):
    path = written(tmp_path, np.arange(4000).reshape(1000, 4))
    rows = Rows(path, 0)
    os.truncate(path, 1000)
    assert rows[1].tolist() == [4, 5, 6, 7]
    with pytest.raises(OSError, match="row 999 could not be read"):
        rows[999]


def test_threads_read_at_once(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (500, 4000)).astype(np.uint8)
    rows = Rows(written(tmp_path, array), 0)
    wrong: list[int] = []

    def work(seed):
        for _ in range(20):
            index = np.random.default_rng(seed).integers(0, 500, 50)
            if not np.array_equal(rows.gather(index), array[index]):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_file_is_closed_with_the_last_holder(tmp_path):
    rows = Rows(written(tmp_path, np.zeros((3, 2))), 0)
    descriptor = rows._file
    os.fstat(descriptor)
    del rows
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_reading_a_large_file_through_holds_none_of_it(tmp_path):
    path = tmp_path / "rows.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, (20_000, 8192)).flush()
    script = (
        "import os, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from speedwell.inputs.rows import Rows\n"
        "from speedwell.measure.process import peak_bytes\n"
        "rows = Rows(Path(sys.argv[1]))\n"
        "before = peak_bytes(os.getpid())\n"
        "order = np.random.default_rng(0).permutation(len(rows))\n"
        "for start in range(0, len(rows), 100):\n"
        "    rows.gather(order[start : start + 100])\n"
        "print(peak_bytes(os.getpid()) - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16 << 20


def test_another_process_opens_the_file_anew(tmp_path):
    rows = Rows(written(tmp_path, np.arange(6).reshape(3, 2)), 0)
    again = pickle.loads(pickle.dumps(rows))
    assert again._file != rows._file
    assert again[2].tolist() == [4, 5]
