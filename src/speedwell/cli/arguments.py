"""Arguments that several verbs share: how data is read and how samples become inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import UsageError

__all__ = [
    "Batch", "Classes", "Colour", "Crop", "Debug", "ImageColumn", "Json", "LabelColumn", "Layout", "MaxLength", "Mean",
    "More", "Preprocessing", "Quiet", "Resize", "Scale", "Score", "Size", "Std", "TaskName", "TextColumn", "Threads",
    "TokenizerFile", "as_options",
]  # fmt: skip

MORE = (
    "dataset", "detection", "dtype", "encoding", "images", "inputs", "interpolation", "mask_dtype", "metric", "output",
    "padding", "split", "target", "threshold",
)  # fmt: skip
"""Rarer options of readers, preprocessing and tasks, which have no flag of their own."""
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task", help="image-classification, text-classification, object-detection or custom (else guessed)."
    ),
]
Batch = Annotated[int, typer.Option("--batch", help="Samples a call, as you will use the model.")]
Threads = Annotated[int, typer.Option("--threads", help="Threads a call; 0 = every core this process may use.")]
Size = Annotated[str | None, typer.Option("--size", help="Image size as the model takes it: 224 or 224x320.")]
Resize = Annotated[
    str | None,
    typer.Option("--resize", help="stretch, shortest, none, letterbox; or shortest:256 (then a centre crop)."),
]
Crop = Annotated[str | None, typer.Option("--crop", help="Centre crop after resizing: 224 or 224x320.")]
Mean = Annotated[str | None, typer.Option("--mean", help="Per-channel mean: 0.485,0.456,0.406.")]
Std = Annotated[str | None, typer.Option("--std", help="Per-channel standard deviation: 0.229,0.224,0.225.")]
Scale = Annotated[float | None, typer.Option("--scale", help="Pixels are multiplied by this first (default 1/255).")]
Layout = Annotated[str | None, typer.Option("--layout", help="nchw or nhwc.")]
Colour = Annotated[str | None, typer.Option("--colour", help="rgb, bgr or gray.")]
TokenizerFile = Annotated[Path | None, typer.Option("--tokenizer", help="A tokenizer.json.")]
MaxLength = Annotated[int | None, typer.Option("--max-length", help="Tokens kept of a text.")]
Preprocessing = Annotated[Path | None, typer.Option("--preprocessing", help="A JSON file with all of the above.")]
TextColumn = Annotated[str | None, typer.Option("--text-column", help="Column of the texts.")]
LabelColumn = Annotated[str | None, typer.Option("--label-column", help="Column of the labels.")]
ImageColumn = Annotated[str | None, typer.Option("--image-column", help="Column of the images.")]
Classes = Annotated[
    Path | None, typer.Option("--classes", help="Class names in the order of the model's outputs, one a line.")
]
Score = Annotated[str | None, typer.Option("--score", help="custom task: module:function giving a score per sample.")]
More = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help=f"A rarer option, repeatable: {', '.join(MORE)}."),
]
Json = Annotated[bool, typer.Option("--json", help="Events and results as JSON lines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only the verdict.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def as_options(more: Sequence[str] | None = None, **values: Any) -> dict[str, Any]:
    """Reader and preprocessing options as plain JSON, only those given. ``more``: "name=value" with names of ``MORE``.

    Raises ``UsageError`` for unreadable values.
    """
    options: dict[str, Any] = dict(_named(text) for text in more or ())
    for name, value in values.items():
        if value is None:
            continue
        if name in ("size", "crop"):
            options[name] = _size(name, value)
        elif name in ("mean", "std"):
            options[name] = _numbers(name, value)
        elif name == "resize" and ":" in value:
            kind, _, to = value.partition(":")
            options["resize"], options["resize_to"] = kind, _size(name, to)[0]
        elif isinstance(value, Path):
            options[name] = str(value.absolute())
        else:
            options[name] = value
    return options


def _named(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not value or name not in MORE:
        raise UsageError(f"--option is {text!r}", f"Write NAME=VALUE with one of: {', '.join(MORE)}.")
    return name, _numbers("option threshold", value)[0] if name == "threshold" else value


def _size(name: str, text: str) -> list[int]:
    try:
        parts = [int(p) for p in text.lower().split("x")]
    except ValueError:
        parts = []
    if len(parts) == 1:
        parts *= 2
    if len(parts) != 2 or min(parts) < 1 or max(parts) > 16384:
        raise UsageError(f"--{name} is {text!r}", "Write one number (224) or height x width (224x320).")
    return parts


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(p) for p in text.split(",")]
    except ValueError:
        raise UsageError(f"--{name} is {text!r}", "Write numbers with commas between: 0.485,0.456,0.406") from None
