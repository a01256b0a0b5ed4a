"""``speedwell compare``: two models, paired."""

from __future__ import annotations

from typing import Annotated

import typer

from . import arguments as a
from .screen import say

__all__ = ["command"]


def command(
    first: Annotated[str, typer.Argument(help="A bundle, or a model reference: the one compared against.")],
    second: Annotated[str, typer.Argument(help="A bundle, or a model reference.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Labelled samples, none of them used to make either.")
    ] = None,
    max_drop: Annotated[str, typer.Option("--max-drop", help="Margin: 1%, 1pt, 1%rel.")] = "1pt",
    agree: Annotated[str | None, typer.Option("--agree", help="Without labels: 99%.")] = None,
    weights: Annotated[str | None, typer.Option("--weights", help="For a factory.")] = None,
    task: a.TaskName = None,
    batch: a.Batch = 1,
    threads: a.Threads = 0,
    size: a.Size = None,
    resize: a.Resize = None,
    crop: a.Crop = None,
    mean: a.Mean = None,
    std: a.Std = None,
    scale: a.Scale = None,
    layout: a.Layout = None,
    colour: a.Colour = None,
    tokenizer: a.TokenizerFile = None,
    max_length: a.MaxLength = None,
    preprocessing: a.Preprocessing = None,
    text_column: a.TextColumn = None,
    label_column: a.LabelColumn = None,
    image_column: a.ImageColumn = None,
    classes: a.Classes = None,
    score: a.Score = None,
    more: a.More = None,
    rounds: Annotated[int, typer.Option("--rounds", help="Fresh process rounds; 0 compares accuracy only.")] = 12,
    calls: Annotated[int, typer.Option("--calls", help="Timed calls a round.")] = 20,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Accept a bundle without a trusted signature.")] = False,
    as_json: a.Json = False,
    debug: a.Debug = False,
) -> None:
    """Compare SECOND with FIRST: accuracy by the paired test, latency in fresh process pairs, with intervals."""
    from ..workflow.compare import compare

    del debug
    options = a.as_options(
        size=size, resize=resize, crop=crop, mean=mean, std=std, scale=scale, layout=layout, colour=colour,
        tokenizer=tokenizer, max_length=max_length, preprocessing=preprocessing, text_column=text_column,
        label_column=label_column, image_column=image_column, classes=classes, score=score, more=more,
    )  # fmt: skip
    result = compare(
        first, second, data=data, max_drop=None if agree else max_drop, agree=agree, weights=weights, task=task,
        batch=batch, threads=threads, rounds=rounds, calls=calls, unsigned=unsigned, **options,
    )  # fmt: skip
    say(result, as_json)
