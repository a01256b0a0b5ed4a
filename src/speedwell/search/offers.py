"""What the passes and engines offer for one original on one machine: all that the space knows of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from speedwell.core import Engine, Form, Hardware, Kind, Model, Pass, Step

__all__ = ["EngineOffer", "PassOffer"]

_REPAIR = "keep_float"


@dataclass(frozen=True)
class PassOffer:
    """One pass: its kinds, whether it keeps outputs equal, and the settings worth trying, best guess first.

    ``repair``: the integer parameter that buys accuracy back with speed ("keep_float": so many layers stay in float;
    0 = none); "" where the pass has none. ``repair_limit``: its largest useful value, 0 where that is not known.
    ``engine_settings``: parameters that only the engine of that name profits from (``Pass.engine_settings``).
    """

    name: str
    takes: Kind
    gives: Kind
    lossless: bool
    choices: tuple[Step, ...]
    repair: str = ""
    repair_limit: int = 0
    engine_settings: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(kind: type[Pass], model: Model, hardware: Hardware, repair_limit: int = 0) -> PassOffer:
        """Read the offer off a pass class; a field named ``keep_float`` is its repair parameter."""
        repair = _REPAIR if any(f.name == _REPAIR for f in dataclasses.fields(kind)) else ""
        choices = kind.choices(model, hardware)
        return PassOffer(
            kind.name, kind.takes, kind.gives, kind.lossless, choices, repair, repair_limit, kind.engine_settings
        )

    def own_settings(self, step: Step) -> dict[str, str]:
        """Those of ``step``'s parameters that one engine alone profits from, with its name."""
        return {name: engine for name, engine in self.engine_settings.items() if name in step.params}

    def product(self, form: Form, traits: frozenset[str]) -> tuple[Form, frozenset[str]] | None:
        """Form and traits of what the pass makes of a model of ``form`` and ``traits``; None where it takes none."""
        if self.takes.refusal(form, traits):
            return None
        return self.gives.form, (traits | self.gives.needs) - self.gives.forbids


@dataclass(frozen=True)
class EngineOffer:
    """One engine: what it reads ("" or the reason why not) and why it cannot run here ("" where it can)."""

    name: str
    reads: Callable[[Form, frozenset[str]], str]
    why_not: str = ""

    @staticmethod
    def of(engine: Engine, hardware: Hardware) -> EngineOffer:
        """Ask the engine."""
        availability = engine.availability(hardware)
        return EngineOffer(
            engine.name, engine.reads, "" if availability.ok else availability.why_not or "it is not available"
        )
