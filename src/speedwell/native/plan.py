"""A plan as plan.json holds it (docs/native.md): plain records, to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..core.errors import PlanError

__all__ = ["FORMAT", "VERSION", "Constant", "Input", "Operator", "Output", "Plan"]

FORMAT = "speedwell-plan"
VERSION = 1


@dataclass(frozen=True)
class Input:
    """An input of the network. ``shape``: sizes, or the name of one that is free."""

    name: str
    value: int
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Output:
    """An output of the network."""

    name: str
    value: int


@dataclass(frozen=True)
class Constant:
    """A value that lies in weights.safetensors as ``tensor``."""

    value: int
    tensor: str


@dataclass(frozen=True)
class Operator:
    """One step; -1 in ``inputs`` or ``outputs`` is one left out."""

    kind: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """``values``: how many there are; each is made once, by an input, a constant or an operator."""

    values: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    constants: tuple[Constant, ...]
    operators: tuple[Operator, ...]

    def to_json(self) -> dict[str, Any]:
        """As ``json.dumps`` takes it."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Plan:
        """Raises ``PlanError`` for anything that is not of this form; what the values mean the executor checks."""
        try:
            if content["format"] != FORMAT or content["version"] != VERSION:
                raise PlanError(
                    f"a plan of version {VERSION} is read, this is {content['format']} {content['version']}"
                )
            return cls(
                int(content["values"]),
                tuple(Input(i["name"], i["value"], i["dtype"], tuple(i["shape"])) for i in content["inputs"]),
                tuple(Output(o["name"], o["value"]) for o in content["outputs"]),
                tuple(Constant(c["value"], c["tensor"]) for c in content["constants"]),
                tuple(
                    Operator(o["kind"], o.get("name", o["kind"]), tuple(o["inputs"]), tuple(o["outputs"]),
                             o.get("attributes") or {})
                    for o in content["operators"]
                ),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanError(f"not a plan: {error!r}", "Lower the model again.") from error
