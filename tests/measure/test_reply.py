import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from speedwell.measure import reply
from speedwell.measure.reply import PREFIX, Reply, WireError, read_message, write_message


def reader(data: bytes):
    stream = io.BytesIO(data)

    def read(size):
        got = stream.read(size)
        if len(got) < size:
            raise EOFError
        return bytearray(got)

    return read


def joined(header, arrays):
    return b"".join(bytes(p) for p in write_message(header, arrays))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARRAYS = hnp.arrays(
    st.one_of(hnp.scalar_dtypes(), hnp.unicode_string_dtypes(max_len=5)), hnp.array_shapes(min_dims=0, min_side=0)
)


@given(JSON, st.dictionaries(st.text(max_size=5), ARRAYS, max_size=3))
def test_a_message_comes_back_as_it_was_sent(value, arrays):
    header, back = read_message(reader(joined({"value": value}, arrays)))
    assert header == {"value": value}
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()


def test_fortran_order_and_writability_survive():
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    back = read_message(reader(joined({}, {"x": array})))[1]["x"]
    np.testing.assert_array_equal(back, array)
    back[0, 0] = 7


@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_executed(noise):
    with pytest.raises((WireError, EOFError)):
        read_message(reader(noise))


@settings(max_examples=150)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_gives_a_message_or_a_wire_error(position, byte):
    data = bytearray(joined({"value": 1}, {"x": np.arange(5)}))
    data[position % len(data)] = byte
    with contextlib.suppress(WireError, EOFError):
        read_message(reader(bytes(data)))


def test_a_claimed_size_over_the_cap_is_refused_before_memory_is_taken():
    with pytest.raises(WireError, match="claims"):
        read_message(reader(PREFIX.pack(b"SPW1", reply.MAX_HEADER_BYTES + 1)))
    text = json.dumps({"arrays": [["x", reply.MAX_ARRAY_BYTES + 1]]}).encode()
    with pytest.raises(WireError, match="claims"):
        read_message(reader(PREFIX.pack(b"SPW1", len(text)) + text))


def test_an_array_that_claims_more_than_it_holds_is_refused():
    blob = io.BytesIO()
    np.lib.format.write_array_header_1_0(blob, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    text = json.dumps({"arrays": [["x", len(blob.getvalue())]]}).encode()
    with pytest.raises(WireError, match="claims"):
        read_message(reader(PREFIX.pack(b"SPW1", len(text)) + text + blob.getvalue()))


def test_a_pickled_object_array_is_refused_on_both_sides():
    objects = np.array([print], dtype=object)
    with pytest.raises(TypeError, match="objects"):
        write_message({}, {"x": objects})
    blob = io.BytesIO()
    np.save(blob, objects, allow_pickle=True)
    text = json.dumps({"arrays": [["x", len(blob.getvalue())]]}).encode()
    with pytest.raises(WireError):
        read_message(reader(PREFIX.pack(b"SPW1", len(text)) + text + blob.getvalue()))


@pytest.mark.parametrize("arrays", ["x", [["x"]], [["x", -1]], [["x", True]], [[1, 2]], [["x", 1.5]]])
def test_a_malformed_listing_is_refused(arrays):
    text = json.dumps({"arrays": arrays}).encode()
    with pytest.raises(WireError):
        read_message(reader(PREFIX.pack(b"SPW1", len(text)) + text))


def test_what_a_job_returns_becomes_arrays_or_json():
    assert Reply.of({"a": 1}).value == {"a": 1}
    assert list(Reply.of({"a": np.ones(2)}).arrays) == ["a"]
    assert list(Reply.of(np.ones(2)).arrays) == ["result"]
    assert Reply.of(Reply(3)).value == 3
    assert json.loads(bytes(write_message({"value": np.float64(2.5)}, {})[1]))["value"] == 2.5
