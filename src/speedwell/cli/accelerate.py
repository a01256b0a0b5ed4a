"""``speedwell accelerate``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import arguments as a
from .screen import progress

__all__ = ["command"]


def command(
    model: Annotated[
        str | None,
        typer.Argument(help="model.onnx, module:factory, file.py:factory, hf:folder or timm:name@weights.safetensors."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Folder per class, npz, csv, tsv, jsonl, parquet, datasets folder.")
    ] = None,
    calibration: Annotated[str | None, typer.Option("--calibration", help="Calibration samples, given apart.")] = None,
    selection: Annotated[str | None, typer.Option("--selection", help="Selection samples, given apart.")] = None,
    confirmation: Annotated[
        str | None, typer.Option("--confirmation", help="Confirmation samples, given apart; opened once.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="For a factory: .safetensors, or a torch state dict (.pth).")
    ] = None,
    task: a.TaskName = None,
    max_drop: Annotated[
        str | None, typer.Option("--max-drop", help="The promise: 1%, 1pt (points), 1%rel, or auto. Default 1pt.")
    ] = None,
    agree: Annotated[
        str | None, typer.Option("--agree", help="The promise without labels: 99% of the answers stay the same.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Time for all of it: 10m, 90s, 1h. Default 10m, or as it was.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the bundle goes (default: in the run folder).")
    ] = None,
    batch: a.Batch = 1,
    threads: a.Threads = 0,
    engines: Annotated[str | None, typer.Option("--engines", help="Only these, with commas between.")] = None,
    passes: Annotated[str | None, typer.Option("--passes", help="Only these, with commas between.")] = None,
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
    seed: Annotated[int, typer.Option("--seed", help="Fixes splits and every random choice.")] = 0,
    rounds: Annotated[int, typer.Option("--rounds", help="Fresh process rounds of the confirmation.")] = 12,
    calls: Annotated[int, typer.Option("--calls", help="Timed calls a round.")] = 20,
    run: Annotated[Path | None, typer.Option("--run", help="Where the run folder goes (default: runs/DATE).")] = None,
    resume: Annotated[Path | None, typer.Option("--resume", help="Go on with a run that was stopped.")] = None,
    confirm_now: Annotated[
        bool, typer.Option("--confirm-now", help="With --resume: search no further, confirm the best so far.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be tried, and stop.")] = False,
    show_samples: Annotated[
        bool, typer.Option("--show-samples", help="The report may show samples on which the answers differ.")
    ] = False,
    quiet: a.Quiet = False,
    as_json: a.Json = False,
    debug: a.Debug = False,
) -> None:
    """Find the fastest version of MODEL that keeps the promise, prove it, and hand over a signed bundle."""
    from ..workflow.accelerate import run_accelerate
    from ..workflow.settings import DEFAULT_BUDGET, Settings

    del debug
    settings = None
    if model is not None:
        settings = Settings(
            model=model,
            data=data,
            calibration=calibration,
            selection=selection,
            confirmation=confirmation,
            weights=weights,
            task=task,
            max_drop=max_drop,
            agree=agree,
            budget=budget or DEFAULT_BUDGET,
            batch=batch,
            threads=threads,
            out=str(out) if out else None,
            seed=seed,
            rounds=rounds,
            calls=calls,
            engines=_names(engines),
            passes=_names(passes),
            options=a.as_options(
                size=size, resize=resize, crop=crop, mean=mean, std=std, scale=scale, layout=layout, colour=colour,
                tokenizer=tokenizer, max_length=max_length, preprocessing=preprocessing, text_column=text_column,
                label_column=label_column, image_column=image_column, classes=classes, score=score, more=more,
            ),
        )  # fmt: skip
    with progress(quiet, as_json) as shown:
        run_accelerate(
            settings,
            shown,
            run=run,
            resume=resume,
            budget=budget,
            confirm_now=confirm_now,
            dry_run=dry_run,
            show_samples=show_samples,
        )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(n.strip() for n in text.split(",") if n.strip()) if text else ()
