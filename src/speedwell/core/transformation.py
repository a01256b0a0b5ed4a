"""``Pass``: a step that turns a model into another model, with its promises checked.

The author writes ``apply`` (and, where they hold something, ``requires`` and ``ensures``); callers call the pass.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from .candidate import Step
from .context import Context
from .errors import PreconditionError, PromiseError
from .hardware import Hardware
from .model import Form, Model

__all__ = ["Kind", "Pass"]


@dataclass(frozen=True)
class Kind:
    """A type for models: a form, traits that must be there, traits that must not."""

    form: Form
    needs: frozenset[str] = frozenset()
    forbids: frozenset[str] = frozenset()

    def refusal(self, form: Form, traits: frozenset[str]) -> str:
        """Why a model of this form and these traits is not of this kind; "" where it is."""
        if form != self.form:
            return f"takes the {self.form} form, this is {form}"
        if missing := self.needs - traits:
            return f"needs {', '.join(sorted(missing))}"
        if clash := self.forbids & traits:
            return f"is not for a model that is {', '.join(sorted(clash))}"
        return ""


@dataclass(frozen=True)
class Pass(ABC):
    """Subclasses are frozen dataclasses; their fields are the step's parameters (plain JSON values).

    ``gives``: form of the product; traits in ``gives.needs`` are added, those in ``gives.forbids`` removed.
    ``lossless``: outputs equal the input model's within float32 rounding; ``ensures`` then checks it.
    ``engine_settings``: parameters that change the speed on one engine alone, with its name: a choice that sets one is
    tried on that engine only, and its speed is told apart from that of the other choices.
    """

    name: ClassVar[str]
    takes: ClassVar[Kind]
    gives: ClassVar[Kind]
    lossless: ClassVar[bool] = False
    engine_settings: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def choices(cls, model: Model, hardware: Hardware) -> tuple[Step, ...]:  # noqa: ARG003 - the contract
        """The settings worth trying on this model and machine, best guess first. Empty: not for this one."""
        return (Step(cls.name),)

    @property
    def step(self) -> Step:
        """The pass as a record; only fields that differ from their default are written."""
        changed = {f.name: v for f in dataclasses.fields(self) if (v := getattr(self, f.name)) != f.default}
        return Step(self.name, changed)

    def requires(self, model: Model, context: Context) -> None:
        """Raise ``PreconditionError`` where the pass does not apply."""

    @abstractmethod
    def apply(self, model: Model, context: Context) -> Model:
        """A new model, its payload under ``context.scratch``; never changes ``model`` or its files."""

    def ensures(self, before: Model, after: Model, context: Context) -> None:
        """Raise ``PromiseError`` where the product is not what the pass promises."""

    @final
    def __call__(self, model: Model, context: Context) -> Model:
        """Check, apply, check. Raises ``PreconditionError``, ``PromiseError`` or what ``apply`` raises."""
        if why := self.takes.refusal(model.form, model.traits):
            raise PreconditionError(f"{self.name} {why}")
        self.requires(model, context)
        after = self.apply(model, context)
        before_names = (model.signature.input_names, model.signature.output_names)
        if (after.signature.input_names, after.signature.output_names) != before_names:
            raise PromiseError(f"{self.name} changed the signature from {model.signature} to {after.signature}")
        if why := Kind(self.gives.form, self.gives.needs).refusal(after.form, after.traits):
            raise PromiseError(f"{self.name} gave a model that {why}")
        self.ensures(model, after, context)
        return after
