"""What worker processes run to prepare and build: importable functions of records and paths.

Each answers with plain JSON (records by ``core.encode``); none is called in the parent, which so never imports torch.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.candidate import Step
from ..core.context import Arrays, Context
from ..core.hardware import Hardware
from ..core.model import Model
from ..core.outcome import StepEffect
from ..core.record import content_hash, decode, encode
from ..core.workload import Workload
from ..inputs import EncodedSplit

__all__ = ["build", "complete_model", "convert_weights", "open_model", "prefix_key"]


def convert_weights(path: Path, out: Path) -> str:
    """A torch state dict to safetensors; loaded with ``weights_only``, in this process only."""
    from .. import sources

    return str(sources.convert_weights(path, out))


def open_model(reference: str, weights: Path | None, scratch: Path) -> dict[str, Any]:
    """Open a reference; the encoded ``Model`` (torch forms: outputs not known yet)."""
    from .. import sources

    return dict(encode(sources.load_model(reference, weights, scratch)))


def complete_model(model: Model, feeds: Path) -> dict[str, Any]:
    """Run a torch form once on real inputs, so that its signature is whole."""
    from .. import sources

    with np.load(feeds, allow_pickle=False) as arrays:
        return dict(encode(sources.complete_signature(model, dict(arrays))))


def prefix_key(original: Model, steps: tuple[Step, ...], seed: int) -> str:
    """Names the product of ``steps`` on ``original``: content of the model, the steps and the seed."""
    return content_hash({"model": original.digest, "steps": steps, "seed": seed})[:32]


def build(
    original: Model,
    steps: tuple[Step, ...],
    artifacts: Path,
    calibration: Path | None,
    workload: Workload,
    hardware: Hardware,
    seed: int,
    budget_seconds: float,
) -> dict[str, Any]:
    """Apply ``steps`` in order; products of common prefixes are shared. Answers {"model", "effects"}.

    A product appears under its name whole or not at all (built beside it, then renamed).
    """
    from .. import passes

    model, effects = original, []
    for count, step in enumerate(steps, 1):
        folder = artifacts / prefix_key(original, steps[:count], seed)
        if not (folder / "record").is_file():
            scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True, mode=0o700)
            context = Context(
                calibration=lambda: _batches(calibration, workload.batch),
                run=passes.reference.run,
                workload=workload,
                hardware=hardware,
                scratch=scratch,
                seed=seed,
                budget_seconds=budget_seconds,
            )
            began = time.perf_counter()
            try:
                product = passes.build(step)(model, context)
                effect = StepEffect(step.label, time.perf_counter() - began, product.size_bytes)
                _keep(product, effect, scratch, folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        model, effect = _kept(folder)
        effects.append(effect)
    return {"model": encode(model), "effects": encode(effects)}


def _batches(folder: Path | None, batch: int) -> Iterator[Arrays]:
    """The calibration split in order, in batches of the workload's size."""
    if folder is None:
        return
    split = EncodedSplit.open(folder)
    for start in range(0, len(split), batch):
        yield split.batch(np.arange(start, min(start + batch, len(split))))


def _keep(product: Model, effect: StepEffect, scratch: Path, folder: Path) -> None:
    """Write the record beside the payload and rename the folder into place. A payload that lies elsewhere
    (a pass that only adds a trait) is kept by its path.
    """
    inside = product.payload.is_relative_to(scratch)
    kept = replace(product, payload=folder / product.payload.relative_to(scratch)) if inside else product
    from ..core.record import dumps

    text = dumps({"model": encode(kept), "effect": encode(effect)})
    (scratch / "record").write_text(text)
    with contextlib.suppress(FileExistsError):
        scratch.rename(folder)


def _kept(folder: Path) -> tuple[Model, StepEffect]:
    import json

    data = json.loads((folder / "record").read_text())["record"]
    return decode(Model, data["model"]), decode(StepEffect, data["effect"])
