"""An ONNX file: checked before it is parsed, brought into one shape, written as one self-contained file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import Model, Origin
from ..core.errors import UnsupportedModelError, UsageError
from .onnx_facts import hints_of, refuse_custom, signature_of, traits_of
from .onnx_guard import Weights, read_onnx
from .onnx_normal import inline_functions, name_dimensions, scrub, upgrade

if TYPE_CHECKING:
    import onnx

__all__ = ["ONE_FILE_BYTES", "SMALL_BYTES", "OnnxFile"]

ONE_FILE_BYTES = 1_900_000_000
"""Above this the weights go into ``model.onnx.data`` beside the model: protobuf stops at 2 GiB."""
SMALL_BYTES = 64 << 10
"""Tensors up to this size stay in the file all the same: shapes are inferred from them."""


class OnnxFile:
    """``model.onnx``, its external data (if any) inside its own folder."""

    name = "onnx"

    def claims(self, reference: str) -> bool:
        return reference.lower().endswith(".onnx")

    def load(self, reference: str, weights: Path | None, scratch: Path) -> Model:
        if weights is not None:
            raise UsageError(f"{reference} has its weights inside; --weights is for a factory", "Leave --weights out.")
        path = Path(reference).expanduser()
        model = read_onnx(path)
        refuse_custom(model, path)
        out = _new_file(scratch)
        try:
            return _normal(model, path, out, reference)
        except BaseException:
            out.unlink(missing_ok=True)
            _data_of(out).unlink(missing_ok=True)
            raise


def _normal(model: onnx.ModelProto, path: Path, out: Path, reference: str) -> Model:
    with Weights(model, path) as outside:
        large = outside.total + path.stat().st_size > ONE_FILE_BYTES
        _bring_in(outside, SMALL_BYTES if large else None)
        if large:
            _write_data(outside, _data_of(out))
    name_dimensions(model)
    note = ""
    if not large:
        _check(model, path)
        model, note = upgrade(inline_functions(model))
    model = _infer(model, path)
    signature = signature_of(model, path)
    if not signature.inputs:
        raise UnsupportedModelError(f"cannot open {path}: the network takes no input.")
    hints = hints_of(model, signature)
    if note:
        hints["notes"] = [note]
    scrub(model)
    out.write_bytes(model.SerializeToString(deterministic=True))
    if large:
        _check(out, path)
    return Model.of("onnx", out, signature, Origin("onnx", reference, {}, hints), traits_of(model))


def _data_of(out: Path) -> Path:
    return out.with_name(out.name + ".data")


def _new_file(scratch: Path) -> Path:
    scratch.mkdir(parents=True, exist_ok=True)
    out, number = scratch / "model.onnx", 1
    while out.exists():
        number += 1
        out = scratch / f"model-{number}.onnx"
    return out


def _bring_in(outside: Weights, limit: int | None) -> None:
    """Put the external data of tensors up to ``limit`` bytes (None: all) into the file."""
    import onnx

    for tensor, location, offset, length in outside.regions:
        if limit is None or length <= limit:
            tensor.raw_data = outside.read(location, offset, length)
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]


def _write_data(outside: Weights, path: Path) -> None:
    """Stream what is still external into one file, and point the tensors at it."""
    import onnx

    chunk = 16 << 20
    with path.open("xb") as file:
        os.chmod(path, 0o600)
        for tensor, location, offset, length in outside.regions:
            if tensor.data_location != onnx.TensorProto.EXTERNAL:
                continue
            # a page boundary lets runtimes map the file
            file.write(b"\0" * (-file.tell() % 4096))
            start = file.tell()
            for at in range(0, length, chunk):
                file.write(outside.read(location, offset + at, min(chunk, length - at)))
            del tensor.external_data[:]
            for key, value in (("location", path.name), ("offset", str(start)), ("length", str(length))):
                tensor.external_data.add(key=key, value=value)


def _check(model: onnx.ModelProto | Path, path: Path) -> None:
    import onnx

    try:
        onnx.checker.check_model(str(model) if isinstance(model, Path) else model)
    except (onnx.checker.ValidationError, ValueError) as error:
        reason = (str(error).strip().splitlines() or ["?"])[0][:300]
        raise UnsupportedModelError(
            f"cannot open {path}: onnx.checker says: {reason}", "Export it again, or repair the graph it names."
        ) from error


def _infer(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or ["?"])[0][:300]
        raise UnsupportedModelError(f"cannot open {path}: its shapes contradict each other: {reason}") from error
