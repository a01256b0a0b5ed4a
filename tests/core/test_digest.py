from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from speedwell.core import array_digest, bytes_digest, path_digest


def test_sha256_of_nothing() -> None:
    assert bytes_digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(arrays(np.float32, (2, 3), elements=st.floats(width=32, allow_nan=False)))
def test_an_array_s_digest_covers_content_dtype_and_shape(array: np.ndarray) -> None:
    digest = array_digest(array)
    assert digest == array_digest(np.asfortranarray(array))
    assert digest != array_digest(array.reshape(3, 2))
    assert digest != array_digest(array.view(np.int32))


@pytest.mark.parametrize("change", ["content", "name", "place", "more", "fewer"])
def test_a_folder_s_digest_covers_every_file(tmp_path: Path, change: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "sub" / "b").write_bytes(b"2")
    before = path_digest(tmp_path)
    assert before == path_digest(tmp_path)
    if change == "content":
        (tmp_path / "sub" / "b").write_bytes(b"3")
    elif change == "name":
        (tmp_path / "a").rename(tmp_path / "c")
    elif change == "place":
        (tmp_path / "a").rename(tmp_path / "sub" / "a")
    elif change == "more":
        (tmp_path / "empty").write_bytes(b"")
    else:
        (tmp_path / "a").unlink()
    assert path_digest(tmp_path) != before


def test_a_file_s_digest_is_its_content_s(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"weights")
    assert path_digest(tmp_path / "a") == bytes_digest(b"weights")
