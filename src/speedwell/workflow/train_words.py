"""What is said of a training before it begins and after it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.hardware import Hardware
from ..core.model import Model
from ..training.recipe import Recipe
from .train_data import TrainData
from .train_settings import TrainSettings

__all__ = ["closing", "header"]


def header(
    settings: TrainSettings, recipe: Recipe, task: str, model: Model, data: TrainData, parameters: int, world: int
) -> dict[str, str]:
    """Facts by heading, before the first step."""
    hardware = Hardware.here()
    sets = [("train", data.train), ("validation", data.validation), ("test", data.test)]
    counts = ", ".join(f"{name} {len(split):,}" for name, split in sets if split is not None)
    o, s = recipe.optimizer, recipe.stop
    format_ = "" if recipe.precision == "float32" else f", precision {recipe.precision}"
    ends = f"{s.epochs:g} epochs" if s.epochs else f"{s.steps:,} steps"
    ends += f" or {s.minutes:g} minutes" if s.minutes else ""
    at_once = f", {world} processes" if world > 1 else ""
    return {
        "Machine": f"{hardware.cpu}, {hardware.cores} cores, {hardware.isa}, "
        f"{hardware.memory_bytes / 2**30:.0f} GB{at_once}",
        "Network": f"{settings.network}, {parameters:,} parameters ({4 * parameters / 1e6:.1f} MB), "
        f"from {_start(settings, model)}",
        "Data": f"{task}, {len(data.classes)} classes: {counts}",
        **_private(recipe),
        "Recipe": f"{o.name}, learning rate {o.lr:g}, batch {recipe.batch}{format_}, {ends}, seed {recipe.seed}",
    }


def closing(result: Any) -> list[tuple[str, str]]:
    """The lines after the last step. ``result``: a ``TrainResult``."""
    minutes = f"{int(result.seconds) // 60}:{int(result.seconds) % 60:02d}"
    lines = [("Done", f"{result.reason}; {minutes}, {result.samples_per_second:,.0f} samples/s")]
    if result.validation is not None:
        lines.append(("Validation", f"{result.metric} {100 * result.validation:.1f} %, the best, which is kept"))
    if result.test is not None:
        sure = ""
        if result.test_low is not None:
            sure = f" (95 % sure: {100 * result.test_low:.1f} to {100 * result.test_high:.1f})"
        n = result.counts["test"]
        lines.append(("Test", f"{result.metric} {100 * result.test:.1f} % on {n:,} samples it never saw{sure}"))
    lines.append((
        "A step",
        f"forward {result.forward_ms:.1f} ms, backward {result.backward_ms:.1f} ms, update {result.update_ms:.1f} ms; "
        f"operations a sample: forward {_count(result.forward_operations)}, backward "
        f"{_count(result.backward_operations)}; update {_count(result.update_operations)} a step",
    ))  # fmt: skip
    if result.skipped:
        lines.append(("Left out", f"{len(result.skipped)} steps that were not finite: {'; '.join(result.skipped[:3])}"))
    if result.epsilon is not None:
        p = result.privacy
        lines.append((
            "Private",
            f"epsilon {result.epsilon:.3g} at delta {p.delta:.2g} for each of {p.samples:,} training samples; "
            f"noise {p.noise:.3g}, {p.steps:,} steps, each sample drawn with {100 * p.rate:.3g} %",
        ))  # fmt: skip
        lines += [("", text) for text in p.assumed]
        if p.left_out:
            lines.append(("", f"{p.left_out:,} of {p.drawn:,} gradients were not finite and counted as zero"))
    lines.append(("Report", str(result.folder / "report.html")))
    lines.append(("Model", str(result.model)))
    lines.append(("Use it", f"speedwell accelerate {_near(result.folder)} --data ... --max-drop 1pt"))
    return lines


def _private(recipe: Recipe) -> dict[str, str]:
    if (p := recipe.privacy) is None:
        return {}
    asked = f"epsilon at most {p.epsilon:g}" if p.epsilon else f"noise {p.noise:g}"
    return {"Private": f"{asked}, gradients clipped to {p.max_grad_norm:g}; the training loss is shown to nobody"}


def _start(settings: TrainSettings, model: Model) -> str:
    if settings.weights:
        return settings.weights
    return "random weights" if model.origin.kind in ("network", "timm") else "the weights it was built with"


def _count(operations: int) -> str:
    for size, word in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if operations >= size:
            return f"{operations / size:.3g} {word}"
    return str(operations)


def _near(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
