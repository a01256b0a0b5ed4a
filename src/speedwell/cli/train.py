"""``speedwell train``: a network learns from data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import UsageError
from . import arguments as a

__all__ = ["command"]


def command(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE.toml | NETWORK]",
            help="A recipe, or a network: residual, mobile, detector, encoder, module:factory, hf:folder, timm:name.",
        ),
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="Training samples, labelled.")] = None,
    validation: Annotated[
        str | None, typer.Option("--validation", help="What stopping is decided by (else a tenth of the data).")
    ] = None,
    test: Annotated[str | None, typer.Option("--test", help="Looked at once, at the end.")] = None,
    task: a.TaskName = None,
    out: Annotated[Path | None, typer.Option("--out", help="A new folder for all of it. Default: trained.")] = None,
    weights: Annotated[str | None, typer.Option("--weights", help="Weights to begin from.")] = None,
    teacher: Annotated[str | None, typer.Option("--teacher", help="A trained network to learn from as well.")] = None,
    teacher_weights: Annotated[str | None, typer.Option("--teacher-weights", help="The teacher's weights.")] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Times through the data.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Time limit; the schedule ends in time.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Samples a step, over all processes.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="The highest learning rate.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Fixes splits, order, weights, augmentation.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any value of a recipe, repeatable: optimizer.name=muon."),
    ] = None,
    arg: Annotated[
        list[str] | None,
        typer.Option("--arg", metavar="NAME=VALUE", help="An argument of the network, repeatable: depth=32."),
    ] = None,
    threads: a.Threads = 0,
    processes: Annotated[int, typer.Option("--processes", help="Processes that share each batch.")] = 1,
    size: a.Size = None,
    resize: a.Resize = None,
    crop: a.Crop = None,
    mean: a.Mean = None,
    std: a.Std = None,
    colour: a.Colour = None,
    tokenizer: a.TokenizerFile = None,
    max_length: a.MaxLength = None,
    text_column: a.TextColumn = None,
    label_column: a.LabelColumn = None,
    image_column: a.ImageColumn = None,
    classes: a.Classes = None,
    more: a.More = None,
    shard: Annotated[
        bool, typer.Option("--shard", help="Spread the weights over the processes, for networks that fit into none.")
    ] = False,
    learning_curve: Annotated[
        bool,
        typer.Option("--learning-curve", help="Train on parts of the data too; say what twice as much would bring."),
    ] = False,
    resume: Annotated[Path | None, typer.Option("--resume", help="Go on with a training that was stopped.")] = None,
    quiet: a.Quiet = False,
    as_json: a.Json = False,
    debug: a.Debug = False,
) -> None:
    """Train a network as RECIPE.toml says, or NETWORK by the default recipe for its task."""
    from ..workflow.train_processes import follow_parent

    follow_parent()
    del debug
    if resume is not None and (what or data):
        raise UsageError("--resume goes on with what was asked before", "Leave network and data out.")
    tables: dict[str, Any] = {}
    if resume is None:
        options = a.as_options(
            size=size, resize=resize, crop=crop, mean=mean, std=std, colour=colour, tokenizer=tokenizer,
            max_length=max_length, text_column=text_column, label_column=label_column, image_column=image_column,
            classes=classes, more=more,
        )  # fmt: skip
        given = {
            "data": data, "validation": validation, "test": test, "task": task, "weights": weights, "teacher": teacher,
            "teacher_weights": teacher_weights, "threads": threads or None,
            "processes": processes if processes != 1 else None,
            "shard": shard or None,
        }  # fmt: skip
        short = {"stop.epochs": epochs, "stop.minutes": minutes, "batch": batch, "optimizer.lr": lr, "seed": seed}
        tables = _tables(what, given, options, short, set_ or (), arg or ())
    _run(tables, out, resume, quiet, as_json, learning_curve)


def _tables(
    what: str | None,
    given: dict[str, Any],
    options: dict[str, Any],
    short: dict[str, Any],
    values: Sequence[str],
    arguments: Sequence[str],
) -> dict[str, Any]:
    """The recipe file's tables, or new ones, with what the command line says over them."""
    from ..training.recipe_file import read_recipe
    from ..workflow.train_settings import arguments_of, beside, set_value

    if what is None:
        raise UsageError("nothing to train", "Name a network or a recipe: speedwell train residual --data photos/")
    tables: dict[str, Any] = {}
    if what.endswith(".toml"):
        tables = beside(read_recipe(Path(what)), Path(what).absolute().parent)
    else:
        tables["network"] = what
    tables |= {name: value for name, value in given.items() if value is not None}
    for name, extra in (("options", options), ("arguments", arguments_of(arguments))):
        if extra:
            tables[name] = {**tables.get(name, {}), **extra}
    recipe = tables.setdefault("recipe", {})
    for name, value in short.items():
        if value is not None:
            set_value(recipe, f"{name}={value}")
    for text in values:
        set_value(recipe, text)
    return tables


def _run(
    tables: dict[str, Any], out: Path | None, resume: Path | None, quiet: bool, as_json: bool, curve: bool
) -> None:
    from ..core.record import encode
    from ..report.training_screen import TrainingJson, TrainingScreen
    from ..workflow.learning_curve import run_curve
    from ..workflow.train import resumed_settings, run_training
    from ..workflow.train_settings import TrainSettings
    from ..workflow.train_words import closing

    folder = (resume or out or Path("trained")).absolute()
    settings = resumed_settings(folder) if resume else TrainSettings.of(tables)
    screen: Any = TrainingJson() if as_json else TrainingScreen(quiet=quiet)
    words = (*(("--quiet",) if quiet else ()), *(("--json",) if as_json else ()))
    try:
        if curve:
            found = run_curve(settings, folder, screen)
            typer.echo(json.dumps({"event": "curve", **encode(found)}) if as_json else found.text)
            return
        result = run_training(settings, folder, resume is not None, screen, words)
    except KeyboardInterrupt:
        screen.close()
        typer.echo(f"\nStopped; a checkpoint is kept. Go on with: speedwell train --resume {folder}", err=True)
        raise
    finally:
        screen.close()
    if result is None:
        return
    if as_json:
        typer.echo(json.dumps({"event": "done", **encode(result)}))
    else:
        screen.pairs(closing(result))
