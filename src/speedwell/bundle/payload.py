"""The model's own files, cleaned for travel: an ONNX graph without metadata, a torch payload without local paths."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from speedwell.core import Model, TorchPayload, loads
from speedwell.core.errors import BundleError

from .files import copy_file, write_file
from .layout import MAX_RECORD_BYTES, MODULE, ONNX, TORCH_FILES
from .manifest import record_bytes
from .scrub import leaks

__all__ = ["write_payload"]

_ONNX_DATA = "model.onnx.data"
_CONFIG = "config.json"
KEPT = (("speedwell.row_levels", "127"),)
"""Metadata that an engine obeys (passes/quantize/sums.py)."""


def write_payload(model: Model, folder: Path) -> None:
    """Write ``model`` into the existing, empty ``folder`` (the bundle's model/); equal models give equal bytes.

    Raises ``BundleError`` for a live module and for a payload that would carry code or local names, ``OSError`` from
    the disk.
    """
    if model.form == "onnx":
        _write_onnx(model.payload, folder)
    else:
        _write_torch(model, folder)


def _write_onnx(payload: Path, folder: Path) -> None:
    import onnx

    proto = onnx.load_model(payload, load_external_data=False)
    external = _strip(proto)
    data = payload.with_name(payload.name + ".data")
    if external and external != {data.name}:
        raise BundleError(f"the weights of {payload.name} lie in {', '.join(sorted(external))}, not in {data.name}")
    names = [*(n.name for n in _nodes(proto.graph)), *(t.name for t in proto.graph.initializer)]
    names += [proto.graph.name, proto.producer_name, proto.producer_version, proto.domain]
    _refuse_leaks(names, "the ONNX graph")
    if external:
        copy_file(data, folder / _ONNX_DATA)
    write_file(folder / PurePath(ONNX).name, proto.SerializeToString(deterministic=True))


def _strip(proto: Any) -> set[str]:
    """Clear metadata and doc strings everywhere; returns the external files named, renamed to the bundle's own.

    What changes the answers stays: the pairs of ``KEPT``, word for word, so that nothing else can travel with them.
    """
    from google.protobuf.message import Message

    external: set[str] = set()

    def walk(message: Message) -> None:
        for descriptor, value in message.ListFields():
            if descriptor.name in ("metadata_props", "doc_string"):
                message.ClearField(descriptor.name)
            elif descriptor.name == "external_data":
                for pair in value:
                    if pair.key == "location":
                        external.add(pair.value)
                        pair.value = _ONNX_DATA
            elif descriptor.message_type is not None:
                for inner in value if isinstance(value, Iterable) else (value,):
                    walk(inner)

    kept = [(p.key, p.value) for p in proto.metadata_props if (p.key, p.value) in KEPT]
    walk(proto)
    for key, value in kept:
        proto.metadata_props.add(key=key, value=value)
    return external


def _nodes(graph: Any) -> Iterable[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _nodes(inner)


def _write_torch(model: Model, folder: Path) -> None:
    source = model.payload
    module = loads(TorchPayload, (source / MODULE).read_text())
    if module.builder == "live":
        raise BundleError(
            "a live module cannot go into a bundle: only pickle could hold it, and opening that can run code",
            "Give what builds it: speedwell accelerate my_package.models:build --weights model.safetensors",
        )
    for file in sorted(source.rglob("*")):
        if file.name == MODULE or file.is_dir():
            continue
        if file.parent != source or file.is_symlink() or file.suffix not in TORCH_FILES:
            raise BundleError(f"the model's folder holds {file.relative_to(source)}, which no bundle may carry")
        _copy_torch_file(file, folder / file.name)
    module = replace(module, search_path=())
    record = record_bytes(module)
    _refuse_leaks(json.loads(record), MODULE)
    write_file(folder / MODULE, record)


def _copy_torch_file(file: Path, target: Path) -> None:
    if file.name != _CONFIG:
        if file.suffix == ".safetensors":
            _refuse_leaks(_safetensors_metadata(file), f"the header of {file.name}")
        copy_file(file, target)
        return
    # Says where the network was fetched from, which may be a local folder; nothing is built from it.
    config = {k: v for k, v in json.loads(file.read_bytes()).items() if k != "_name_or_path"}
    _refuse_leaks({k: v for k, v in config.items() if k not in ("id2label", "label2id")}, file.name)
    write_file(target, (json.dumps(config, indent=1, sort_keys=True) + "\n").encode())


def _safetensors_metadata(file: Path) -> Any:
    with file.open("rb") as f:
        size = int.from_bytes(f.read(8), "little")
        if size > MAX_RECORD_BYTES:
            raise BundleError(f"the header of {file.name} claims {size:,} bytes")
        return json.loads(f.read(size)).get("__metadata__", {})


def _refuse_leaks(value: Any, what: str) -> None:
    if found := next(leaks(value), None):
        raise BundleError(
            f"{what} names something of this machine: {found[:200]!r}",
            "Rename it, or build the model from a place without your name in it; a bundle is made to be given away.",
        )
