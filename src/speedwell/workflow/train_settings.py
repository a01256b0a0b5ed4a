"""``TrainSettings``: what a training is asked for, from a TOML file, the command line or Python."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..networks import NETWORKS
from ..training.recipe import Augment, Optimizer, Recipe, Schedule, Stop
from ..training.recipe_file import merged

__all__ = ["TrainSettings", "arguments_of", "beside", "default_recipe", "recipe_for", "set_value"]

PATHS = ("data", "validation", "test", "weights", "teacher_weights")


@dataclass(frozen=True)
class TrainSettings:
    """``network``: a built-in's name, module:factory, file.py:factory, hf:folder, timm:name, or a trained folder.

    ``data``: training samples; ``validation``: what stopping is decided by (a tenth of ``data``, at most 2,500, where
    it is not given); ``test``: looked at once, at the end. ``arguments``: of the network; ``options``: of readers and
    preprocessing; ``recipe``: tables as in the TOML file, over the default for this task and network.
    ``teacher``: a reference to learn from. ``threads`` of each of ``processes`` (0 = all cores, shared); ``shard``:
    the weights are spread over them. ``share``: of the training samples, the first in an order that the seed decides.
    """

    network: str
    data: str
    validation: str | None = None
    test: str | None = None
    task: str | None = None
    weights: str | None = None
    teacher: str | None = None
    teacher_weights: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 0
    processes: int = 1
    shard: bool = False
    share: float = 1.0

    def __post_init__(self) -> None:
        for name in ("network", "data"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise UsageError(f"{name} is {getattr(self, name)!r}", f"Name the {name}.")
        if not 0 < self.share <= 1:
            raise UsageError(f"share is {self.share!r}", "Give a share of the training samples, above 0 and at most 1.")
        if self.threads < 0 or self.processes < 1:
            raise UsageError(f"threads {self.threads}, processes {self.processes}", "At least 0 threads, 1 process.")

    @staticmethod
    def of(tables: Mapping[str, Any], folder: Path | None = None) -> TrainSettings:
        """From the tables of a TOML file; paths that do not exist here are looked for in ``folder``.

        Raises ``UsageError`` for an unknown name.
        """
        known = {f.name for f in dataclasses.fields(TrainSettings)}
        if unknown := sorted(set(tables) - known):
            raise UsageError(f"the recipe says {unknown[0]!r}", f"At the top it may say: {', '.join(sorted(known))}.")
        if missing := [name for name in ("network", "data") if name not in tables]:
            raise UsageError(f"nothing says {' and '.join(missing)}", "Name them in the file or on the command line.")
        values = beside(tables, folder) if folder else dict(tables)
        for name in ("arguments", "options", "recipe"):
            if not isinstance(values.get(name, {}), Mapping):
                raise UsageError(f"{name} is {values[name]!r}", f"Write a table: [{name}].")
        return TrainSettings(**values)


def beside(tables: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """``tables`` with the paths that do not exist here, but in ``folder``, as they are from here."""
    values = dict(tables)
    for name in PATHS:
        path = values.get(name)
        if isinstance(path, str) and not Path(path).exists() and (folder / path).exists():
            values[name] = str(folder / path)
    return values


def default_recipe(task: str, settings: TrainSettings) -> Recipe:
    """The recipe in force: the default for the task, then what the settings say."""
    fine_tuning = settings.network not in NETWORKS and not settings.network.startswith("timm:")
    return recipe_for(task, fine_tuning or bool(settings.weights), settings.recipe)


def recipe_for(task: str, fine_tuning: bool, tables: Mapping[str, Any]) -> Recipe:
    """The default recipe for a task, with ``tables`` over it. ``fine_tuning``: the weights have learnt something
    already, so they are moved gently and for a short time.
    """
    if fine_tuning:
        start = Recipe(
            optimizer=Optimizer("adamw", lr=5e-5, head_lr=10.0),
            schedule=Schedule("linear", warmup=0.1),
            stop=Stop(epochs=3),
            batch=32,
            clip=1.0,
        )
    elif task == "text-classification":
        start = Recipe(
            optimizer=Optimizer("adamw", lr=1e-3, weight_decay=0.05),
            stop=Stop(epochs=10),
            batch=64,
            clip=1.0,
            augment=Augment(drop_tokens=0.1),
        )
    elif task == "object-detection":
        start = Recipe(
            optimizer=Optimizer("adamw", lr=3e-3, weight_decay=0.05),
            schedule=Schedule("cosine", final=0.01),
            stop=Stop(epochs=40),
            batch=8,
            clip=10.0,
            ema=0.998,
            validate_every=4.0,
            augment=Augment(flip=True, scale=(0.7, 1.4), shift=0.1, mosaic=0.4, colour=0.3),
        )
    else:
        start = Recipe(
            optimizer=Optimizer("sgd", lr=0.1, weight_decay=5e-4),
            stop=Stop(epochs=30),
            batch=128,
            ema=0.998,
            augment=Augment(crop=2),
        )
    return merged(start, tables)


def set_value(tables: dict[str, Any], text: str) -> None:
    """Put "optimizer.lr=0.1" into ``tables``; the value is TOML, a bare word is a string. Raises ``UsageError``."""
    name, equals, value = text.partition("=")
    parts = name.strip().split(".")
    if not equals or not all(parts):
        raise UsageError(f"--set is {text!r}", "Write NAME=VALUE, for example optimizer.lr=0.1")
    try:
        found = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        found = value.strip()
    place = tables
    for part in parts[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise UsageError(f"--set is {text!r}", f"{part} is a value, not a table.")
    place[parts[-1]] = found


def arguments_of(given: Sequence[str]) -> dict[str, Any]:
    """{"depth": 20} of ["depth=20"], values as TOML."""
    tables: dict[str, Any] = {}
    for text in given:
        set_value(tables, text)
    return tables
