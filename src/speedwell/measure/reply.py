"""What comes back from a worker: plain JSON and numpy arrays, never pickle.

One message on the wire, all integers big-endian::

    b"SPW1" | u32 header length | header: UTF-8 JSON object | array bytes, end to end

``header["arrays"]`` lists ``[name, bytes]`` in order; each array is one ``.npy`` (format 1.0 to 3.0, no objects).
The reader checks every length against its cap before it allocates, and each ``.npy`` header against its length.
"""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MAX_ARRAYS", "MAX_ARRAY_BYTES", "MAX_HEADER_BYTES", "Reply", "WireError", "read_message", "write_message"]

MAGIC = b"SPW1"
PREFIX = struct.Struct(">4sI")
MAX_HEADER_BYTES = 64 << 20
MAX_ARRAY_BYTES = 4 << 30
MAX_ARRAYS = 4096
_NPY_HEADER_BYTES = 64 << 10


class WireError(ValueError):
    """Bytes that are not a message of this format, or one over a cap."""


@dataclass(frozen=True, eq=False)
class Reply:
    """``value``: plain JSON. ``arrays``: by name. ``seconds``: wall clock of the call, measured in the worker.

    ``peak_memory``: largest resident size of the worker so far, in bytes (0 where the system does not say).
    """

    value: Any = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory: int = 0

    @staticmethod
    def of(result: Any) -> Reply:
        """What a job returned, as a reply: a ``Reply`` as it is, a mapping of arrays as arrays, all else as JSON."""
        if isinstance(result, Reply):
            return result
        if type(result).__module__.startswith("numpy") and hasattr(result, "dtype") and result.ndim > 0:
            return Reply(None, {"result": result})
        if isinstance(result, Mapping) and result and all(_is_array(v) for v in result.values()):
            return Reply(None, result)
        return Reply(result)


def write_message(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[bytes | memoryview]:
    """The message in parts, to be written in order. Raises ``TypeError`` or ``ValueError`` (with words for a person)
    where ``header`` is not plain JSON, an array holds objects, or a cap is passed.
    """
    parts: list[bytes | memoryview] = []
    listing: list[list[Any]] = []
    for name, array in arrays.items():
        blob = _to_npy(name, array)
        listing.append([str(name), len(blob)])
        parts.append(blob)
    if len(listing) > MAX_ARRAYS or sum(size for _, size in listing) > MAX_ARRAY_BYTES:
        raise ValueError(f"a reply holds at most {MAX_ARRAYS} arrays and {MAX_ARRAY_BYTES} bytes")
    text = json.dumps({**header, "arrays": listing}, default=_plain).encode()
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(f"a reply's JSON holds at most {MAX_HEADER_BYTES} bytes, this has {len(text)}")
    return [PREFIX.pack(MAGIC, len(text)), text, *parts]


def read_message(read: Callable[[int], bytearray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of the next message; ``read(n)`` returns exactly n bytes or raises. Raises ``WireError``."""
    magic, length = PREFIX.unpack(read(PREFIX.size))
    if magic != MAGIC:
        raise WireError(f"the message starts with {magic!r}")
    if length > MAX_HEADER_BYTES:
        raise WireError(f"the header claims {length} bytes")
    try:
        header = json.loads(read(length).decode())
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise WireError(f"the header is not JSON: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("arrays"), list):
        raise WireError("the header is not an object with a list of arrays")
    listing = header.pop("arrays")
    sizes = [_size(entry) for entry in listing]
    if len(sizes) > MAX_ARRAYS or sum(sizes) > MAX_ARRAY_BYTES:
        raise WireError(f"the message claims {len(sizes)} arrays of {sum(sizes)} bytes")
    return header, {entry[0]: _from_npy(read(size)) for entry, size in zip(listing, sizes, strict=True)}


def _size(entry: Any) -> int:
    match entry:
        case [str(), int(size)] if not isinstance(size, bool) and size >= 0:
            return size
        case _:
            raise WireError(f"an array is listed as {entry!r}")


def _to_npy(name: str, array: np.ndarray) -> memoryview:
    import numpy as np

    array = np.asarray(array)
    if array.dtype.hasobject:
        raise TypeError(f"the array {name!r} holds Python objects; only numbers, booleans and strings can be sent")
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getbuffer()


def _from_npy(blob: bytearray) -> np.ndarray:
    """The array over the memory of ``blob`` (no copy). The claimed shape must be exactly what the blob holds."""
    from tokenize import TokenError  # numpy tokenizes a header that it cannot evaluate

    import numpy as np
    from numpy.lib import format as npy

    stream = io.BytesIO(bytes(blob[: _NPY_HEADER_BYTES + 16]))
    try:
        version = npy.read_magic(stream)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = reader(stream, max_header_size=_NPY_HEADER_BYTES)
    except (ValueError, SyntaxError, TypeError, EOFError, RecursionError, MemoryError, TokenError) as error:
        raise WireError(f"an array cannot be read: {error}") from error
    start = stream.tell()
    if dtype.hasobject or any(d < 0 for d in shape) or start + math.prod(shape) * dtype.itemsize != len(blob):
        raise WireError(f"an array claims {dtype} of shape {shape}, with {len(blob) - start} bytes")
    if dtype.itemsize == 0 or math.prod(shape) == 0:
        return np.empty(shape, dtype)
    flat = np.frombuffer(blob, dtype=dtype, offset=start)
    return flat.reshape(shape, order="F" if fortran else "C")


def _is_array(value: Any) -> bool:
    return type(value).__module__.startswith("numpy") and hasattr(value, "dtype") and hasattr(value, "ndim")


def _plain(value: Any) -> Any:
    """numpy scalars as numbers; anything else is refused by name."""
    if _is_array(value) and value.ndim == 0:
        return value.item()
    raise TypeError(f"a {type(value).__name__} is neither plain JSON nor an array of the reply")
