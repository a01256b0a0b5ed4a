"""Which task it is, where the user names none: from the data, from the model, and only where they agree."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataNotFoundError, UsageError
from ..core.model import Model
from ..inputs import (
    Samples,
    column_names,
    is_coco,
    is_dataset,
    is_hf_detection,
    is_image_folder,
    is_saved_dataset,
    is_voc,
    objects_column,
    parquet_files,
    read_saved,
)
from ..inputs.columns import IMAGE_NAMES, TEXT_NAMES
from ..inputs.live_objects import is_live_detection
from ..inputs.scenes import is_scenes
from .reading import is_table

__all__ = ["guess_task"]

IMAGE, TEXT, DETECTION = "image-classification", "text-classification", "object-detection"


def guess_task(data: Any, model: Model, options: Mapping[str, Any] | None = None) -> str:
    """The name of a built-in task. ``data`` may be None, then the model alone decides.

    ``options``: the reader's; a named text or image column, a tokenizer or a score function says the task itself.

    Raises ``UsageError`` where data and model say different things or nothing, ``DataNotFoundError`` for no data.
    """
    options = options or {}
    if options.get("score"):
        return "custom"
    by_options = IMAGE if options.get("image_column") else TEXT if options.get("text_column") else ""
    by_data = by_options or _of_data(data, str(options.get("split") or ""))
    if by_options == IMAGE and _of_data(data, str(options.get("split") or "")) == DETECTION:
        by_data = DETECTION
    by_model = TEXT if options.get("tokenizer") else DETECTION if options.get("detection") else _of_model(model)
    if by_data == DETECTION and by_model == IMAGE:
        by_model = ""  # an image goes in; what comes out only a hint says
    if by_data and by_model and by_data != by_model:
        raise UsageError(
            f"the data looks like {by_data} and the model like {by_model}",
            f"Check that they belong together, or name the task: --task {by_model}",
        )
    found = by_data or by_model
    if not found:
        inputs = ", ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in model.signature.inputs)
        raise UsageError(
            f"cannot tell the task from the data and the model's inputs ({inputs})",
            f"Name it: --task {IMAGE}, --task {TEXT}, --task {DETECTION}, or --task custom --score module:function",
        )
    return found


def _of_model(model: Model) -> str:
    hints, inputs = model.origin.hints, model.signature.inputs
    if hints.get("detection"):
        return DETECTION
    names = {t.name.lower() for t in inputs}
    if hints.get("text") or names & {"input_ids", "token_ids", "attention_mask"}:
        return TEXT
    if hints.get("image") or "pixel_values" in names or [len(t.shape) for t in inputs] == [4]:
        return IMAGE
    return ""


def _of_data(data: Any, split: str) -> str:
    if data is None:
        return ""
    if is_scenes(data):
        return DETECTION
    if isinstance(data, (str, Path)):
        return _of_path(Path(data), split)
    if isinstance(data, Samples):
        return DETECTION if data.has_objects else _of_raw(data[0].raw) if len(data) else ""
    if is_live_detection(data):
        return DETECTION
    if is_dataset(data):
        return _of_columns(_dataset_columns(data))
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and len(data):
        first = data[0]
        return _of_raw(first[0] if isinstance(first, (tuple, list)) and first else first)
    return ""  # an iterator would lose its first item


def _of_path(path: Path, split: str) -> str:
    if not path.exists():
        raise DataNotFoundError(f"there is no data at {path}", "Check the path.")
    if path.is_dir():
        if is_saved_dataset(path):
            if (path / "dataset_dict.json").is_file() and not split:
                return ""  # the reader asks for the split
            saved = read_saved(path, split=split)
            return DETECTION if saved.has_objects else _of_raw(saved[0].raw)
        if shards := parquet_files(path):
            return _of_columns(column_names(shards[0]))
        if is_voc(path) or is_hf_detection(path):
            return DETECTION
        return IMAGE if is_image_folder(path) else ""
    if is_coco(path):
        return DETECTION
    if path.suffix == ".npz":
        try:
            with zipfile.ZipFile(path) as archive:
                return IMAGE if {"blob.npy", "images.npy"} & set(archive.namelist()) else ""
        except zipfile.BadZipFile:
            return ""  # the reader tells what is wrong with the file
    if is_table(path):
        return _of_columns(column_names(path, split)) or ("" if path.name.endswith(".parquet") else TEXT)
    return ""


def _dataset_columns(data: Any) -> list[str]:
    columns = data.column_names
    if isinstance(columns, dict):
        return [c for part in columns.values() for c in part or ()]
    return list(columns or ())


def _of_columns(names: list[str]) -> str:
    lower = {n.strip().lower() for n in names}
    if lower & set(IMAGE_NAMES) and objects_column(names):
        return DETECTION
    image, text = lower & set(IMAGE_NAMES), lower & set(TEXT_NAMES)
    if bool(image) == bool(text):
        return ""
    return IMAGE if image else TEXT


def _of_raw(raw: Any) -> str:
    if isinstance(raw, str) or (isinstance(raw, (tuple, list)) and raw and all(isinstance(t, str) for t in raw)):
        return TEXT
    if isinstance(raw, (bytes, bytearray)) or isinstance(getattr(raw, "mode", None), str):
        return IMAGE
    if isinstance(raw, np.ndarray) or hasattr(raw, "detach"):
        return IMAGE if len(raw.shape) == 3 or (str(raw.dtype).endswith("uint8") and len(raw.shape) == 2) else ""
    return ""
