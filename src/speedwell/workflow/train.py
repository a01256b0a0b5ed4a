"""``train``: a network learns from data, and what it has learnt can be accelerated."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.atomic import write_atomic
from ..core.errors import OutputError, ResumeError, SpeedwellError, UsageError
from ..core.extras import try_import
from ..core.hardware import Hardware
from ..core.record import content_hash, decode, encode
from ..report.training_screen import TrainingScreen
from .full_disk import full_disk
from .train_processes import run_processes, tell_parent
from .train_result import RESULT, TrainResult, read_result
from .train_settings import TrainSettings, set_value
from .train_words import closing

__all__ = ["TrainResult", "read_result", "resumed_settings", "run_training", "train"]

RUN = "train.json"


def train(
    recipe: str | Path | TrainSettings | Mapping[str, Any],
    out: str | Path = "trained",
    resume: bool = False,
    watch: Any = None,
    show: bool = False,
    **changes: Any,
) -> TrainResult:
    """Train as a recipe says: a TOML file, its tables, or ``TrainSettings``. ``changes``: recipe values by dotted name
    with "__" for the dot (``optimizer__lr=0.1``, ``stop__epochs=3``), or top-level names (``data=...``).

    ``out`` becomes a folder with ``model/`` (open it with ``speedwell.accelerate``), ``result.json``, ``recipe.toml``,
    ``report.html``, ``history.jsonl``, ``tensorboard/``, ``checkpoints/``. ``resume``: go on with what lies there, by
    its own settings. ``show``: print what the command line prints. With torchrun's variables this process is one of
    several.
    Raises ``UsageError``, ``DataError``, ``ModelError``, ``TrainingError``, ``OutputError``, ``ResumeError``.
    """
    folder = Path(out).absolute()
    settings = resumed_settings(folder) if resume else _settings(recipe, changes)
    screen = TrainingScreen() if show and watch is None else None
    try:
        result = run_training(settings, folder, resume, watch or screen)
    finally:
        if screen is not None:
            screen.close()
    found = result if result is not None else read_result(folder)
    if screen is not None:
        screen.pairs(closing(found))
    return found


def run_training(
    settings: TrainSettings, folder: Path, resume: bool, watch: Any = None, words: tuple[str, ...] = ()
) -> TrainResult | None:
    """As ``train``, of settings that are whole. ``words``: options of the command line that its processes are to get.

    None in a process that is not the first, and in the parent of several, whose first one has said it all.
    """
    try_import("torch")
    apart = settings.processes > 1 and "RANK" not in os.environ
    if apart:
        if not resume:
            _begin(folder, settings)
        threads = settings.threads or max(1, Hardware.here().cores // settings.processes)
        run_processes(folder, settings.processes, threads, words)
        return None
    try:
        return _in_this_process(settings, folder, resume, watch)
    except SpeedwellError as error:
        tell_parent(folder, error)
        raise
    except Exception as error:  # safetensors and numpy have errors of their own for a full disk
        full = full_disk(folder, "the training", str(error), f"speedwell train --resume {folder}")
        if full is None:
            raise
        tell_parent(folder, full)
        raise full from error


def _in_this_process(settings: TrainSettings, folder: Path, resume: bool, watch: Any) -> TrainResult | None:
    from ..training.parallel import joined
    from .training_run import TrainingRun

    with joined(settings.shard) as ranks:
        if not resume and ranks.first:
            _begin(folder, settings)
        ranks.barrier()
        result = TrainingRun(settings, folder, ranks, watch).run()
        if not ranks.first:
            return None
        write_atomic(folder / RESULT, (json.dumps(encode(result), indent=1, allow_nan=False) + "\n").encode())
        return result


def resumed_settings(folder: Path) -> TrainSettings:
    """What the training in ``folder`` was asked for. Raises ``ResumeError`` where none is."""
    path = folder / RUN
    try:
        record = json.loads(path.read_text())
        found: TrainSettings = decode(TrainSettings, record["settings"])
        if record["key"] != content_hash(found):
            raise ResumeError(f"{path} was changed", "Start a new run with the changed recipe.")
        return found
    except FileNotFoundError as error:
        raise ResumeError(f"{folder} holds no training ({RUN})", "Name the folder given as --out.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResumeError(f"{path} cannot be read: {error}") from error


def _begin(folder: Path, settings: TrainSettings) -> None:
    """A new folder, or one without a training in it. Raises ``OutputError``."""
    if (folder / RUN).exists():
        raise OutputError(
            f"{folder} holds a training already",
            f"Go on with it: speedwell train --resume {folder}   or name another place with --out.",
        )
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty", "Name a new place with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror}", "Name a writable place with --out.") from error
    text = json.dumps({"settings": encode(settings), "key": content_hash(settings), "machine": encode(Hardware.here())})
    write_atomic(folder / RUN, (text + "\n").encode())


def _settings(recipe: Any, changes: Mapping[str, Any]) -> TrainSettings:
    from ..training.recipe_file import read_recipe

    if isinstance(recipe, TrainSettings):
        tables: dict[str, Any] = dict(encode(recipe))
        home = None
    elif isinstance(recipe, Mapping):
        tables, home = json.loads(json.dumps(recipe, default=str)), None
    elif isinstance(recipe, (str, Path)):
        tables, home = read_recipe(Path(recipe)), Path(recipe).absolute().parent
    else:
        raise UsageError(f"a recipe is a {type(recipe).__name__}", "Give a TOML file, its tables, or TrainSettings.")
    tops = set(TrainSettings.__dataclass_fields__)
    for name, value in changes.items():
        if name in tops:
            tables[name] = str(value) if isinstance(value, Path) else value
        else:
            inner = tables.setdefault("recipe", {})
            set_value(inner, f"{name.replace('__', '.')}={json.dumps(value)}")
    return TrainSettings.of(tables, home)
