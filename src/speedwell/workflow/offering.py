"""What passes and engines offer for one original: asked once per run, kept in ``run.json`` so that a resumed run
searches the same space.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.candidate import Step
from ..core.errors import SpeedwellError, UnknownNameError
from ..core.hardware import Hardware
from ..core.model import Model
from ..core.record import decode, encode
from ..core.workload import Workload
from ..search import EngineOffer, PassOffer
from . import jobs

__all__ = ["Offers", "check_names", "engine_offers", "gather_offers"]

BASE = (Step("to_onnx"), Step("fuse"))
"""What most candidates share; built first, because the settings of later passes are read off its product."""


@dataclass(frozen=True)
class Offers:
    """``notes``: passes that offer nothing here, and why, for the report."""

    passes: tuple[PassOffer, ...]
    notes: tuple[str, ...] = ()


def gather_offers(
    original: Model,
    names: tuple[str, ...],
    artifacts: Path,
    calibration: Path | None,
    workload: Workload,
    hardware: Hardware,
    seed: int,
    budget_seconds: float,
) -> dict[str, Any]:
    """Runs in a worker. ``names``: passes to ask, empty for all. A pass is asked about the furthest of the original,
    its ONNX form and the fused form that it takes.
    """
    from .. import passes

    forms, notes = [original], []
    arguments = (artifacts, calibration, workload, hardware, seed, budget_seconds)
    for count in range(1, len(BASE) + 1) if original.form == "torch" else ():
        try:
            forms.append(decode(Model, jobs.build(original, BASE[:count], *arguments)["model"]))
        except SpeedwellError as error:
            notes.append(f"{BASE[count - 1].name}: {error.what}")
            break
    offers = []
    for name in names or passes.REGISTRY.names():
        kind = type(passes.REGISTRY.get(name))
        about = next((m for m in reversed(forms) if not kind.takes.refusal(m.form, m.traits)), None)
        if about is None:
            notes.append(f"{name}: takes no form that this network has")
            continue
        offer = PassOffer.of(kind, about, hardware)
        if offer.choices:
            offers.append(offer)
        else:
            notes.append(f"{name}: nothing worth trying on this network and machine")
    return dict(encode(Offers(tuple(offers), tuple(notes))))


def check_names(engines: tuple[str, ...], passes: tuple[str, ...]) -> None:
    """Raise ``UnknownNameError`` for an engine or pass that there is not: before anything is written or measured."""
    from .. import engines as engine_room
    from .. import passes as pass_room

    for option, kind, names, known in (
        ("--engines", "engine", engines, engine_room.REGISTRY.names()),
        ("--passes", "pass", passes, pass_room.REGISTRY.names()),
    ):
        if unknown := [n for n in names if n not in known]:
            raise UnknownNameError(f"{option}: there is no {kind} {unknown[0]!r}", f"There are: {', '.join(known)}")


def engine_offers(names: tuple[str, ...], hardware: Hardware) -> tuple[EngineOffer, ...]:
    """The engines to search over; availability is asked anew in each session."""
    from ..engines import REGISTRY

    return tuple(EngineOffer.of(REGISTRY.get(name), hardware) for name in (names or REGISTRY.names()))
