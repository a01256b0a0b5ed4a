from __future__ import annotations

import contextlib
import os

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from speedwell.core.errors import ModelError, ModelNotFoundError, UnsafeModelError, UnsupportedModelError
from speedwell.sources.onnx_file import OnnxFile
from speedwell.sources.onnx_guard import Weights, all_tensors, read_onnx


def open_all(path):
    with Weights(read_onnx(path), path) as outside:
        return [outside.read(*region[1:]) for region in outside.regions]


def test_external_data_in_the_own_folder_is_read(external_onnx):
    assert np.frombuffer(open_all(external_onnx())[0], np.float32).tolist() == list(range(8))
    assert open_all(external_onnx("./w.bin", "again", offset="0", length="32"))


def test_external_data_in_a_folder_below_is_read(external_onnx):
    path = external_onnx("data/deep/w.bin")
    (path.parent / "data" / "deep").mkdir(parents=True)
    (path.parent / "w.bin").rename(path.parent / "data" / "deep" / "w.bin")
    assert len(open_all(path)[0]) == 32


@pytest.mark.parametrize(
    "location",
    ["../secret", "data/../../secret", "/etc/hostname", "//etc/hostname", "..\\secret", "data\\..\\..\\secret", "C:\\x",
     "c:/x", "~/secret", "", ".", "./", "..", "a/..", "w.bin\0.png"],
)  # fmt: skip
def test_a_path_that_leaves_the_folder_is_unsafe(external_onnx, location):
    path = external_onnx(location)
    (path.parent.parent / "secret").write_bytes(b"\0" * 32)
    with pytest.raises(UnsafeModelError, match=r"folder|regular file"):
        open_all(path)


def test_a_symbolic_link_is_unsafe_also_when_it_stays_inside(external_onnx):
    path = external_onnx("link.bin")
    (path.parent / "link.bin").symlink_to("w.bin")
    with pytest.raises(UnsafeModelError, match=r"symbolic link[\s\S]*cp -rL"):
        open_all(path)


def test_a_folder_that_is_a_link_is_unsafe(external_onnx, tmp_path):
    path = external_onnx("sub/w.bin")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "w.bin").write_bytes(b"\0" * 32)
    (path.parent / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafeModelError, match="symbolic link"):
        open_all(path)


def test_a_hard_link_out_is_unsafe_and_one_inside_is_not(external_onnx, tmp_path):
    path = external_onnx("hard.bin")
    os.link(path.parent / "w.bin", path.parent / "hard.bin")
    assert len(open_all(path)[0]) == 32
    os.link(path.parent / "w.bin", tmp_path / "elsewhere.bin")
    with pytest.raises(UnsafeModelError, match="hard link"):
        open_all(path)


def test_a_pipe_is_refused_without_waiting_on_it(external_onnx):
    path = external_onnx("pipe")
    os.mkfifo(path.parent / "pipe")
    with pytest.raises(UnsafeModelError, match="regular file"):
        open_all(path)


@pytest.mark.parametrize(
    "entries",
    [{"offset": "-1"}, {"length": "-32"}, {"offset": "1"}, {"length": "33"}, {"length": "99999999999999999999"},
     {"offset": "9223372036854775807"}, {"length": "0x20"}, {"length": "1e3"}, {"offset": ""}, {"length": "٣٢"},
     {"__class__": "x"}, {"shape": "1"}],
)  # fmt: skip
def test_offsets_lengths_and_keys_are_checked(external_onnx, entries):
    with pytest.raises(UnsafeModelError):
        open_all(external_onnx(**entries))


def test_a_key_given_twice_is_unsafe(external_onnx):
    path = external_onnx()
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data.add(key="location", value="../secret")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsafeModelError, match="twice"):
        open_all(path)


def test_missing_data_is_not_found(external_onnx):
    with pytest.raises(ModelNotFoundError, match=r"weights\.bin"):
        open_all(external_onnx("weights.bin"))


def test_many_tensors_on_one_small_file_are_a_bomb(external_onnx):
    path = external_onnx()
    model = onnx.load(path, load_external_data=False)
    for i in range(8):
        tensor = model.graph.initializer.add()
        tensor.CopyFrom(model.graph.initializer[0])
        tensor.name = f"copy{i}"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsafeModelError, match="claim"):
        open_all(path)


def test_external_data_hidden_in_subgraphs_attributes_and_functions_is_found(small_onnx, tmp_path):
    model = small_onnx()
    hidden = TensorProto(name="hidden", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    hidden.external_data.add(key="location", value="../secret")
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=hidden)], "inner", [], [])
    nodes = [helper.make_node("If", ["y"], ["z"], then_branch=inner, else_branch=inner)]
    function = helper.make_function("mine", "F", [], ["c"], nodes, [helper.make_opsetid("", 17)])
    model.functions.append(function)
    assert sum(t.name == "hidden" for t in all_tensors(model)) == 2
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsafeModelError, match="hidden"):
        OnnxFile().load(str(path), None, tmp_path / "scratch")


@pytest.mark.parametrize("dims", [[-1], [1 << 62, 1 << 62], [3], []])
def test_a_shape_that_its_bytes_do_not_fill_is_refused(small_onnx, tmp_path, dims):
    model = small_onnx()
    model.graph.initializer[1].dims[:] = dims
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedModelError, match=r"needs|negative"):
        read_onnx(tmp_path / "m.onnx")


def test_typed_data_is_counted_too(small_onnx, tmp_path):
    model = small_onnx()
    model.graph.initializer.append(helper.make_tensor("t", TensorProto.FLOAT16, [3], np.ones(3, np.float16)))
    model.graph.initializer.append(helper.make_tensor("q", TensorProto.INT4, [3], np.array([1, 2, 3])))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    read_onnx(path)
    model.graph.initializer.append(TensorProto(name="z", data_type=1, dims=[2], float_data=[1.0]))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedModelError, match="'z'"):
        read_onnx(path)


@pytest.mark.parametrize("content", [b"", b"hello, I am no model", b"\x08\x08", b"\xff" * 100])
def test_what_is_no_onnx_says_so(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(UnsupportedModelError, match=r"empty|no valid ONNX"):
        read_onnx(tmp_path / "m.onnx")


def test_descriptors_are_closed_also_after_a_refusal(external_onnx):
    before = len(os.listdir("/proc/self/fd"))
    open_all(external_onnx())
    with pytest.raises(UnsafeModelError):
        open_all(external_onnx("../x"))
    assert len(os.listdir("/proc/self/fd")) == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_opens_or_is_a_typed_error(small_onnx, tmp_path, data):
    content = bytearray(small_onnx().SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    (tmp_path / "m.onnx").write_bytes(bytes(content))
    # any other exception fails the test
    with contextlib.suppress(ModelError), Weights(read_onnx(tmp_path / "m.onnx"), tmp_path / "m.onnx") as outside:
        assert outside.regions == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(location=st.text("./\\ab~:\0", max_size=12))
def test_no_spelling_of_a_path_reaches_beyond_the_folder(external_onnx, location):
    path = external_onnx(location)
    for secret in (path.parent.parent / "a", path.parent.parent / "b"):
        if not secret.exists():
            secret.write_bytes(b"\x7f" * 32)
    with contextlib.suppress(ModelNotFoundError, UnsafeModelError):
        assert b"\x7f" not in open_all(path)[0]
