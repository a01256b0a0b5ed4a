"""How a detector's outputs are read: the user's words first, then the model's hints, then what its signature shows."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from ...core.model import Model
from .detections import Detections
from .detr import Detr
from .grid import Grid
from .head import Head, Outputs, Quota, whole_size
from .suppression import suppress
from .torchvision import Torchvision
from .yolo import Yolo

__all__ = ["STYLES", "Reader", "detection_settings", "parse_detection", "reader_of"]

STYLES: Mapping[str, type[Head]] = {kind.style: kind for kind in (Grid, Yolo, Torchvision, Detr)}
LIMITS = ("score", "iou", "most", "candidates", "confidence")


@dataclass(frozen=True)
class Reader:
    """Outputs to detections. ``score``: least score that counts, in 0..1. ``iou``: two boxes of a class that overlap by
    more are one object. ``most``: detections an image. ``candidates``: how many go into suppression at most.
    ``confidence``: least score of what is shown to a person or answered by an opened bundle; no figure depends on it.

    COCO's figures count 100 detections however low their score. 0.01 leaves those out that could hardly raise AP (they
    come after everything else in the ranking) and cost the most time: an untrained or 8-bit head has thousands.
    """

    head: Head
    score: float = 0.01
    iou: float = 0.6
    most: int = 100
    candidates: int = 1000
    confidence: float = 0.25

    def __post_init__(self) -> None:
        most = {"most": (1, 1000), "candidates": (1, 100_000)}
        for name in LIMITS:
            value = getattr(self, name)
            low, high = most.get(name, (0, 1))
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise UsageError(f"{name} of detection is {value!r}", f"Give a number from {low} to {high}.")

    def read(self, outputs: Outputs, count: int) -> list[Detections]:
        """What was found in each of ``count`` images, best first, in input pixels.

        Raises ``JobError`` ("not finite", "wrong shape") for outputs that are no boxes.
        """
        found = self.head.candidates(outputs, count, Quota(float(self.score), int(self.candidates)))
        iou = 1.0 if self.head.suppressed else self.iou
        return [suppress(one, iou, int(self.most)) for one in found]


def parse_detection(given: Any) -> dict[str, Any]:
    """Settings from a mapping, a JSON file, JSON text, or the name of a style. Empty for None and "".

    Raises ``UsageError`` for anything else.
    """
    if given is None or given == "":
        return {}
    if isinstance(given, str) and given in STYLES:
        return {"style": given}
    where = "the settings of detection"
    if isinstance(given, (str, Path)):
        where = str(given)
        try:
            text = where if where.lstrip().startswith("{") else Path(given).read_text(encoding="utf-8-sig")
            given = json.loads(text)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"detection is {where!r}: {error}",
                f'Name a style ({", ".join(STYLES)}), a JSON file, or write JSON: {{"style": "yolo"}}.',
            ) from error
    if not isinstance(given, Mapping):
        raise UsageError(f"{where} are a {type(given).__name__}", 'Give a JSON object: {"style": "yolo"}.')
    found = given.get("detection", given)
    return dict(found) if isinstance(found, Mapping) else parse_detection(found)


def detection_settings(model: Model, options: Mapping[str, Any], size: tuple[int, int] | None = None) -> dict[str, Any]:
    """Whole settings as plain JSON: ``options["detection"]`` over the model's hints. ``size``: (height, width) that is
    really fed, where it is known; else as options, hints or the signature say it.

    A user's other style starts from nothing: hints of one head say nothing of another.
    """
    hints = model.origin.hints
    said = parse_detection(options.get("detection"))
    known = parse_detection(hints.get("detection"))
    if said.get("style", known.get("style")) != known.get("style"):
        known = {}
    whole = {**known, **said}
    if "style" not in whole and (style := _guessed(model)):
        whole["style"] = style
    if size or not whole.get("size"):
        found = size or _known_size(model, options)
        whole |= {"size": list(found)} if found else {}
    return whole


def reader_of(settings: Mapping[str, Any]) -> Reader:
    """The reader that ``settings`` describe. Raises ``UsageError`` for a style or a name that is not known."""
    style = settings.get("style")
    if not isinstance(style, str) or style not in STYLES:
        raise UsageError(
            "how this detector's outputs are read is not known" if not style else f"no detector style {style!r}",
            f"Name one of {', '.join(STYLES)}: --option detection=yolo, or a JSON file with its settings; in code: "
            'build.detection = {"style": "grid", ...}.',
        )
    kind = STYLES[style]
    fields = {f.name for f in dataclasses.fields(kind)}
    inside = {k: v for k, v in settings.items() if k not in ("style", *LIMITS)}
    if unknown := sorted(set(inside) - fields):
        raise UsageError(
            f"the settings of detection say {unknown}",
            f"Style {style} knows: {', '.join(sorted(fields | {*LIMITS}))}.",
        )
    made = {name: _value(kind, name, value) for name, value in inside.items()}
    if style == "grid" and "size" not in made:
        whole_size(None)
    return Reader(kind(**made), **{name: settings[name] for name in LIMITS if name in settings})


def _value(kind: type[Head], name: str, value: Any) -> Any:
    """Checked against the field's type, because settings come from files."""
    hint = typing.get_type_hints(kind)[name]
    if name == "size":
        return whole_size(value)
    if name == "strides":
        if not isinstance(value, (list, tuple)) or not all(type(s) is int for s in value):
            raise UsageError(f"strides of detection are {value!r}", 'Give whole numbers: "strides": [8, 16, 32].')
        return tuple(value)
    if name == "names":
        if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
            raise UsageError(f"names of detection are {value!r}", 'Give output names: {"boxes": "out0"}.')
        if unknown := sorted(set(value) - set(kind.roles)):
            raise UsageError(f"names of detection say {unknown}", f"The roles are {', '.join(kind.roles)}.")
        return dict(value)
    wanted = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if typing.get_origin(hint) is not typing.Literal and not any(type(value) is t for t in wanted):
        raise UsageError(f"{name} of detection is {value!r}", f"It is of type {getattr(hint, '__name__', hint)}.")
    return value


def _guessed(model: Model) -> str:
    """A style that the outputs' names give away; "" where they do not."""
    names = set(model.signature.output_names)
    if {"boxes", "scores", "labels"} <= names:
        return "torchvision"
    if {"logits", "pred_boxes"} <= names:
        return "detr"
    return ""


def _known_size(model: Model, options: Mapping[str, Any]) -> tuple[int, int] | None:
    """The input's size as options, hints or the signature say it."""
    said = options.get("size") or (model.origin.hints.get("image") or {}).get("size")
    if isinstance(said, int):
        said = [said, said]
    if isinstance(said, (list, tuple)) and len(said) >= 2 and all(isinstance(s, int) for s in said[-2:]):
        return int(said[-2]), int(said[-1])
    for spec in model.signature.inputs:
        if len(spec.shape) == 4:
            sides = spec.shape[2:] if spec.shape[1] in (1, 3) else spec.shape[1:3]
            if all(isinstance(s, int) and s > 0 for s in sides):
                return int(sides[0]), int(sides[1])
    return None
