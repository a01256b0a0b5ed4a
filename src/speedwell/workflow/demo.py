"""``demo``: the main job on a bare machine, with data and models that come with packages."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ..core.errors import UsageError
from ..core.hardware import Hardware
from ..report import NullProgress, Progress
from .accelerate import run_accelerate
from .accelerated import Accelerated
from .demo_images import prepare_images
from .demo_texts import prepare_texts
from .handover import check_out
from .settings import Settings
from .workers import Workers

__all__ = ["demo"]

TRAIN_SECONDS = 300.0
ROUNDS, CALLS = 12, 15


def demo(
    what: str = "images", out: str | Path = "demo-out", budget: str = "3m", progress: Progress | None = None
) -> Accelerated:
    """``what``: "images" (MNIST, a small residual network trained here) or "text" (docstrings by library, MiniLM).

    Everything goes into ``out``: network, weights, data, bundle, report. The command it runs is printed, so that it
    can be run again and changed. Raises ``MissingExtraError`` where the packages with data are not installed.
    """
    makers = {"images": prepare_images, "text": prepare_texts}
    if what not in makers:
        raise UsageError(f"there is no demo {what!r}", "speedwell demo images   or   speedwell demo text")
    shown = progress or NullProgress()
    folder = Path(out).absolute()
    check_out(folder / "bundle")
    folder.mkdir(parents=True, exist_ok=True)
    hardware = Hardware.here()
    shown.note(
        "Training a small residual network on 2,500 MNIST images (under a minute)"
        if what == "images"
        else "Fitting a linear head on the packaged MiniLM: which library is a docstring from? (under a minute)"
    )
    scratch = Path(tempfile.mkdtemp(prefix="speedwell-demo-"))
    try:
        facts = Workers(scratch, hardware, hardware.cores).job(makers[what], TRAIN_SECONDS, folder=folder).value
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    shown.note(f"Trained in {facts['seconds']:.0f} s. The same by hand:")
    data, confirmation = (
        (folder / "images", folder / "confirmation")
        if what == "images"
        else (folder / "search.csv", folder / "confirmation.csv")
    )
    settings = Settings(
        model=f"{folder / 'network.py'}:build",
        weights=str(folder / "weights.safetensors"),
        data=str(data),
        confirmation=str(confirmation),
        max_drop="1pt",
        budget=budget,
        rounds=ROUNDS,
        calls=CALLS,
        out=str(folder / "bundle"),
    )
    shown.note(
        f"speedwell accelerate {_near(folder / 'network.py')}:build --weights {_near(folder / 'weights.safetensors')} "
        f"--data {_near(data)} --confirmation {_near(confirmation)} --max-drop 1pt --budget {budget} "
        f"--out {_near(folder / 'bundle')}"
    )
    shutil.rmtree(folder / "run", ignore_errors=True)
    done = run_accelerate(settings, shown, run=folder / "run", show_samples=True)
    if done is None:
        raise UsageError("the demo did not run")
    return done


def _near(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
