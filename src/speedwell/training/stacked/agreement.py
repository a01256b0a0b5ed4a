"""What candidates must have in common to be trained in one batch, and what each may have for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...core.errors import UsageError
from ..recipe import Recipe

__all__ = ["FREE", "check_recipes"]

FREE = (
    "seed", "optimizer.lr", "optimizer.weight_decay", "optimizer.momentum", "optimizer.betas", "optimizer.head_lr",
    "schedule", "clip", "ema", "loss.smoothing", "loss.gamma", "loss.distil.weight", "loss.distil.temperature",
    "stop.target", "stop.patience", "stop.diverged",
)  # fmt: skip
"""What may differ from candidate to candidate."""

_SAME: dict[str, Callable[[Recipe], Any]] = {
    "optimizer.name": lambda r: r.optimizer.name,
    "loss.name": lambda r: "focal" if r.loss.name == "focal" else "cross-entropy",
    "augment": lambda r: r.augment,
    "batch": lambda r: r.batch,
    "freeze": lambda r: r.freeze,
    "stop.epochs": lambda r: r.stop.epochs,
    "stop.steps": lambda r: r.stop.steps,
    "validate_every": lambda r: r.validate_every,
}


def check_recipes(recipes: Sequence[Recipe]) -> None:
    """Raise ``UsageError`` unless the recipes differ in nothing but ``FREE``, and ask for nothing that one batch of
    all candidates cannot do.
    """
    if not recipes:
        raise UsageError("there is no candidate", "Give at least one network with its recipe.")
    for name, value in _SAME.items():
        values = [value(r) for r in recipes]
        other = next((v for v in values if v != values[0]), None)
        if other is not None:
            raise UsageError(
                f"candidates differ in {name}: {values[0]!r} and {other!r}",
                "Candidates of one batch share it; train others in turn.",
            )
    hard = {r.loss.distil.hard for r in recipes if r.loss.distil is not None and r.loss.distil.weight}
    if len(hard) > 1:
        raise UsageError("candidates differ in loss.distil.hard", "Candidates of one batch share it.")
    for recipe in recipes:
        _check_one(recipe)


def _check_one(recipe: Recipe) -> None:
    distil = recipe.loss.distil
    impossible = {
        f"optimizer.name {recipe.optimizer.name!r}": recipe.optimizer.name not in ("sgd", "adamw"),
        f"precision {recipe.precision!r}": recipe.precision != "float32",
        f"accumulation {recipe.accumulation}": recipe.accumulation != 1,
        "loss.distil.layers": distil is not None and bool(distil.features or distil.attention),
        f"stop.minutes {recipe.stop.minutes:g}": bool(recipe.stop.minutes),
        "compile": recipe.compile,
    }
    for what, asked in impossible.items():
        if asked:
            raise UsageError(f"{what} does not go with candidates in one batch", "Leave it out, or train in turn.")
