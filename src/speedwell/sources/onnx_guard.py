"""Check an ONNX file before anything is done with it: size, content, and where its external data lies.

Covers the classes of CVE-2022-25882, 2024-27318, 2024-5187, 2025-51480, 2026-27489, 2026-34445, 2026-34446: a path
that leaves the model's folder by "..", by an absolute path, by a symlink anywhere in it or by a hard link; lengths
and offsets that are negative, beyond the file or beyond the tensor; unknown keys. The bytes are read from the very
descriptors that were checked.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..core.errors import ModelNotFoundError, UnsafeModelError, UnsupportedModelError
from .refuse import refuse_unsafe

if TYPE_CHECKING:
    import onnx

__all__ = ["MAX_DATA_BYTES", "MAX_FILE_BYTES", "Weights", "all_tensors", "read_onnx"]

MAX_FILE_BYTES = (1 << 31) - 1
"""protobuf reads no larger message."""
MAX_DATA_BYTES = 64 << 30
"""All external data of one model."""
KEYS = frozenset({"location", "offset", "length", "checksum", "basepath"})
LOOKED_AT = 20_000
"""Files looked at when the other names of a hard link are searched in the model's folder."""


def read_onnx(path: Path) -> onnx.ModelProto:
    """Parse the file; weights inside are checked, external ones are not read yet (``Weights``).

    Raises ``ModelNotFoundError``, ``UnsafeModelError`` or ``UnsupportedModelError``.
    """
    import google.protobuf.message
    import onnx

    if not path.exists():
        raise ModelNotFoundError(f"there is no file {path}")
    refuse_unsafe(path)
    size = path.stat().st_size
    if size == 0:
        raise UnsupportedModelError(f"cannot open {path}: it is empty.")
    if size > MAX_FILE_BYTES:
        raise UnsupportedModelError(
            f"cannot open {path}: {size:,} bytes, and an ONNX file ends at {MAX_FILE_BYTES:,}.",
            "Save it with external data:   onnx.save(model, 'model.onnx', save_as_external_data=True)",
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (google.protobuf.message.DecodeError, ValueError, RecursionError) as error:
        raise UnsupportedModelError(f"cannot open {path}: it is no valid ONNX file ({error}).", _CHECK) from error
    if model.ir_version < 1 or not model.graph.node or not model.graph.output:
        raise UnsupportedModelError(
            f"cannot open {path}: it is no valid ONNX file (no {'node' if model.ir_version else 'version'} in it).",
            _CHECK,
        )
    for tensor in all_tensors(model):
        if not _is_external(tensor):
            _check_inside(tensor, path)
    return model


_CHECK = "Was it copied whole? Check it with:   python -c \"import onnx; onnx.checker.check_model('model.onnx')\""


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor anywhere in the model: initializers (sparse ones too), attributes, subgraphs, functions."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)
        for attribute in function.attribute_proto:
            yield from _of_attribute(attribute)
    for training in model.training_info:
        yield from _of_graph(training.initialization)
        yield from _of_graph(training.algorithm)


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Any) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from _of_attribute(attribute)


def _of_attribute(attribute: onnx.AttributeProto) -> Iterator[onnx.TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    for sparse in (*([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
                   *attribute.sparse_tensors):  # fmt: skip
        yield sparse.values
        yield sparse.indices
    for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
        yield from _of_graph(graph)


def _is_external(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location != 0 or len(tensor.external_data) > 0


def tensor_bytes(tensor: onnx.TensorProto) -> int:
    """Bytes that the tensor's shape and type ask for. Raises ``UnsupportedModelError`` for a shape that cannot be."""
    import onnx

    if any(d < 0 for d in tensor.dims):
        raise UnsupportedModelError(f"the tensor {tensor.name!r} has a negative dimension: {list(tensor.dims)}")
    names = onnx.TensorProto.DataType
    try:
        name = names.Name(tensor.data_type)
        width = 4 if name in ("INT4", "UINT4", "FLOAT4E2M1") else 2 if name in ("INT2", "UINT2") else 0
        bits = width or onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * 8
    except (ValueError, KeyError, TypeError) as error:
        raise UnsupportedModelError(f"the tensor {tensor.name!r} has no known type: {tensor.data_type}") from error
    return int((math.prod(tensor.dims) * bits + 7) // 8)


def _check_inside(tensor: onnx.TensorProto, path: Path) -> None:
    import onnx

    want = tensor_bytes(tensor)
    if tensor.data_type == onnx.TensorProto.STRING:
        have, want = len(tensor.string_data), math.prod(tensor.dims)
    elif tensor.HasField("raw_data"):
        have = len(tensor.raw_data)
    else:
        have, want = _typed_values(tensor, want)
    if have != want:
        raise UnsupportedModelError(
            f"cannot open {path}: the tensor {tensor.name!r} of shape {list(tensor.dims)} needs {want:,} "
            f"bytes or values and brings {have:,}."
        )


def _typed_values(tensor: onnx.TensorProto, want: int) -> tuple[int, int]:
    """(values there, values wanted): each typed field stores one value an element, 4-bit types two a value."""
    import onnx

    name = onnx.TensorProto.DataType.Name(tensor.data_type)
    have = sum(
        len(f)
        for f in (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    )
    count = math.prod(tensor.dims)
    if name.startswith("COMPLEX"):
        return have, 2 * count
    return have, want if name in ("INT4", "UINT4", "FLOAT4E2M1", "INT2", "UINT2") else count


class Weights:
    """External data of one model: opened inside its folder only, checked, then read from the same descriptors."""

    def __init__(self, model: onnx.ModelProto, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self._files: dict[str, int] = {}
        self.regions: list[tuple[onnx.TensorProto, str, int, int]] = []
        try:
            for tensor in all_tensors(model):
                if _is_external(tensor):
                    self.regions.append(self._region(tensor))
            self._check_total()
        except BaseException:
            self.close()
            raise

    @property
    def total(self) -> int:
        """Bytes of all external tensors."""
        return sum(length for *_, length in self.regions)

    def read(self, location: str, offset: int, length: int) -> bytes:
        """Bytes of one region, from the descriptor that was checked."""
        data = os.pread(self._files[location], length, offset)
        while len(data) < length:
            more = os.pread(self._files[location], length - len(data), offset + len(data))
            if not more:
                raise UnsupportedModelError(f"{self.folder / location} became shorter while it was read")
            data += more
        return data

    def close(self) -> None:
        for descriptor in self._files.values():
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._files.clear()

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _unsafe(self, tensor: onnx.TensorProto, why: str, fix: str = "") -> UnsafeModelError:
        return UnsafeModelError(
            f"cannot open {self.path}: the data of tensor {tensor.name!r} {why}.",
            fix or "Its weights must lie in the model's own folder. Get the model from where you trust it.",
        )

    def _region(self, tensor: onnx.TensorProto) -> tuple[onnx.TensorProto, str, int, int]:
        import onnx

        entries: dict[str, str] = {}
        for entry in tensor.external_data:
            if entry.key not in KEYS or entry.key in entries:
                raise self._unsafe(tensor, f"has the key {entry.key[:40]!r}, unknown or twice")
            entries[entry.key] = entry.value
        location = entries.get("location", "")
        if location not in self._files:
            self._files[location] = self._open(tensor, location)
        size = os.fstat(self._files[location]).st_size
        if tensor.data_type == onnx.TensorProto.STRING:
            raise self._unsafe(tensor, "are strings outside the file, which ONNX does not know")
        want = tensor_bytes(tensor)
        offset = self._number(tensor, entries, "offset", 0)
        length = self._number(tensor, entries, "length", want)
        if length != want:
            raise self._unsafe(tensor, f"have length {length}, its shape {list(tensor.dims)} needs {want}")
        if offset + length > size:
            raise self._unsafe(tensor, f"end at byte {offset + length:,}, {location} has {size:,}",
                               "Was the data file copied whole?")  # fmt: skip
        return tensor, location, offset, length

    def _number(self, tensor: onnx.TensorProto, entries: dict[str, str], key: str, default: int) -> int:
        text = entries.get(key)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,19}", text):
            raise self._unsafe(tensor, f"have {key} {text[:40]!r}, not a number from 0 up")
        return int(text)

    def _open(self, tensor: onnx.TensorProto, location: str) -> int:
        """A descriptor of a regular file inside the folder, reached without following a link."""
        parts = location.split("/")
        if not location or "\0" in location or "\\" in location or re.match(r"[A-Za-z]:|/|~", location):
            raise self._unsafe(tensor, f"lie at {location[:200]!r}, which is not a path inside the model's folder")
        if ".." in parts:
            raise self._unsafe(tensor, f"lie at {location[:200]!r}, which leaves the model's folder")
        parts = [p for p in parts if p not in ("", ".")]
        here = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for number, part in enumerate(parts):
                last = number == len(parts) - 1
                kind = os.O_NONBLOCK if last else os.O_DIRECTORY
                try:
                    status = os.stat(part, dir_fd=here, follow_symlinks=False)
                    if stat.S_ISLNK(status.st_mode):
                        raise self._unsafe(
                            tensor, f"lie at {location[:200]!r}, where {part!r} is a symbolic link",
                            "Copy the model with its links resolved:   cp -rL FOLDER PLAIN-FOLDER",
                        )  # fmt: skip
                    nearer = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=here)
                except FileNotFoundError as error:
                    raise ModelNotFoundError(
                        f"cannot open {self.path}: its weights are in {location[:200]!r}, which is not there",
                        f"Copy {parts[-1]} into {self.folder}.",
                    ) from error
                except (OSError, ValueError) as error:
                    raise self._unsafe(tensor, f"lie at {location[:200]!r}, which cannot be opened: {error}") from error
                os.close(here)
                here = nearer
            status = os.fstat(here)
            if not parts or not stat.S_ISREG(status.st_mode):
                raise self._unsafe(tensor, f"lie at {location[:200]!r}, which is no regular file")
            if status.st_nlink > 1 and self._names(status) < status.st_nlink:
                raise self._unsafe(
                    tensor, f"lie at {location[:200]!r}, a hard link to a file outside the model's folder",
                    "Copy the model:   cp -r --no-preserve=links FOLDER PLAIN-FOLDER",
                )  # fmt: skip
        except BaseException:
            os.close(here)
            raise
        return here

    def _names(self, status: os.stat_result) -> int:
        """How many of a file's names lie in the model's folder."""
        names = looked = 0
        for folder, _, files in os.walk(self.folder, followlinks=False):
            for file in files:
                looked += 1
                if looked > LOOKED_AT:
                    return names
                try:
                    other = os.lstat(os.path.join(folder, file))
                except FileNotFoundError:
                    continue
                names += (other.st_dev, other.st_ino) == (status.st_dev, status.st_ino)
        return names

    def _check_total(self) -> None:
        on_disk = sum(os.fstat(d).st_size for d in self._files.values())
        # tied weights may share a region; far more bytes than the disk holds is a bomb
        if self.total > MAX_DATA_BYTES or self.total > 4 * on_disk:
            raise UnsafeModelError(
                f"cannot open {self.path}: its tensors claim {self.total:,} bytes of {on_disk:,} in its data files."
            )
