"""What a Hugging Face folder says of preprocessing and labels, in the words of Speedwell's hints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import UnsupportedModelError

__all__ = ["folder_hints", "read_json"]

JSON_BYTES = 64 << 20
LONGEST = 1 << 16
"""Tokenizers without a limit say 1e30."""
INTERPOLATION = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
"""PIL's numbers, as ``preprocessor_config.json`` writes them."""


def folder_hints(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """``text`` (tokenizer path, max_length), ``image`` (as ``inputs.ImageTransform`` names it), ``classes``.

    Each only where the folder says it.
    """
    hints: dict[str, Any] = {}
    if (folder / "tokenizer.json").is_file():
        hints["text"] = {"tokenizer": str((folder / "tokenizer.json").resolve())}
        if length := _max_length(folder, config):
            hints["text"]["max_length"] = length
    if (folder / "preprocessor_config.json").is_file():
        hints["image"] = _image(read_json(folder / "preprocessor_config.json"))
    elif isinstance(config.get("image_size"), int):
        hints["image"] = {"size": [config["image_size"]] * 2, "layout": "nchw", "colour": "rgb"}
    if classes := _classes(config):
        hints["classes"] = classes
    if config.get("problem_type") in ("multi_label_classification", "regression"):
        hints["problem"] = config["problem_type"]
    return hints


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, at most 64 MiB. Raises ``UnsupportedModelError``."""
    if path.stat().st_size > JSON_BYTES:
        raise UnsupportedModelError(f"{path} is larger than a settings file can be")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnsupportedModelError(f"{path} is no valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise UnsupportedModelError(f"{path} holds a {type(value).__name__}, not an object")
    return value


def _max_length(folder: Path, config: Mapping[str, Any]) -> int:
    limits = []
    path = folder / "tokenizer_config.json"
    if path.is_file():
        limits.append(read_json(path).get("model_max_length"))
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int):
        # RoBERTa and its kin spend the first positions on padding
        offset = config.get("pad_token_id", 0) + 1 if "roberta" in str(config.get("model_type")) else 0
        limits.append(positions - (offset or 0))
    return int(min((n for n in limits if isinstance(n, (int, float)) and 0 < n <= LONGEST), default=0))


def _classes(config: Mapping[str, Any]) -> list[str]:
    names = config.get("id2label")
    if not isinstance(names, Mapping) or not names:
        return []
    try:
        return [str(names[k]) for k in sorted(names, key=int)]
    except (TypeError, ValueError):
        return []


def _image(settings: Mapping[str, Any]) -> dict[str, Any]:
    size = _sides(settings.get("size"))
    crop = _sides(settings.get("crop_size")) if settings.get("do_center_crop") else None
    resizes = settings.get("do_resize", True)
    image: dict[str, Any] = {"layout": "nchw", "colour": "rgb"}
    shortest = _shortest(settings.get("size"))
    final = crop or size or ([shortest, shortest] if shortest else None)
    if final:
        image["size"] = final
    image["crop"] = "center" if crop else "none"
    if not resizes:
        image["resize"] = "none"
    elif shortest:
        image.update(resize="shortest", resize_to=shortest, crop="center")
    elif size and crop and size != crop:
        # stretched to one square, then cut: what the sides are resized to and what is left differ
        image.update(resize="stretch", resize_to=size[0])
    else:
        image["resize"] = "stretch"
    if (pct := settings.get("crop_pct")) and shortest and shortest < 384:
        # ConvNeXT's processor: resize the short side to size / crop_pct, then cut size
        image.update(resize="shortest", resize_to=int(shortest / float(pct)), crop="center")
    image["interpolation"] = INTERPOLATION.get(settings.get("resample", 2), "bilinear")
    image["scale"] = float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0
    if settings.get("do_normalize", True):
        for key, name in (("image_mean", "mean"), ("image_std", "std")):
            if isinstance(settings.get(key), list):
                image[name] = [float(v) for v in settings[key]]
    return image


def _sides(size: Any) -> list[int] | None:
    if isinstance(size, int):
        return [size, size]
    if isinstance(size, Mapping) and isinstance(size.get("height"), int) and isinstance(size.get("width"), int):
        return [size["height"], size["width"]]
    return None


def _shortest(size: Any) -> int:
    edge = size.get("shortest_edge") if isinstance(size, Mapping) else None
    return edge if isinstance(edge, int) else 0
