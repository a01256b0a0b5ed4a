"""A plan opened on this machine: arrays in, arrays out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..core.errors import EngineError, InputMismatchError, PlanError, UnsupportedError
from .binding import Binding
from .engine import engine
from .write import PLAN, WEIGHTS

__all__ = ["Session"]


class Session:
    """The executor of the plan in ``folder``. Runs follow one another; any sizes that the plan leaves free are taken.

    ``threads``: 1 to 64, the caller's included. ``isa``: one of ``supported_isas()``, "" for the best.
    Raises ``PlanError`` for a plan that is not well formed, ``UnsupportedError`` with the names of operators that the
    executor lacks, ``InputMismatchError`` for inputs that do not fit, ``MemoryError`` where memory runs out,
    ``EngineUnavailableError`` where the executor is not built, ``EngineError`` for what is left.
    """

    def __init__(self, folder: Path, threads: int = 1, isa: str = "") -> None:
        self._engine = engine()
        try:
            text = (folder / PLAN).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError(f"cannot read {folder / PLAN}: {error}", "Lower the model again.") from error
        self._errors = (self._engine.Error, TypeError)
        try:
            self._session = self._engine.Session(text, str(folder / WEIGHTS), threads, isa)
        except self._errors as error:
            raise _ours(error) from error
        content = json.loads(text)  # the executor has read it by now, with stricter rules
        self.input_names = tuple(str(entry["name"]) for entry in content["inputs"])
        self.output_names = tuple(str(entry["name"]) for entry in content["outputs"])

    @overload
    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]: ...

    @overload
    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def run(self, inputs: Any) -> Any:
        """Outputs for inputs in the plan's order, or by name for inputs by name. They belong to the caller."""
        # After a run this code comes back from L3 or memory, so each layer of it costs several microseconds.
        named = not isinstance(inputs, (list, tuple)) and isinstance(inputs, Mapping)
        arrays = self._by_name(inputs) if named else inputs
        try:
            outputs = self._session.run([np.asarray(array, order="C") for array in arrays])
        except self._errors as error:
            raise _ours(error) from error
        return dict(zip(self.output_names, outputs, strict=True)) if named else outputs

    def profile(
        self, inputs: Sequence[np.ndarray] | Mapping[str, np.ndarray], runs: int
    ) -> list[tuple[str, str, float]]:
        """Name, kind and mean seconds of each operator over ``runs`` runs; one more before them is not counted."""
        arrays = self._by_name(inputs) if isinstance(inputs, Mapping) else inputs
        try:
            return list(self._session.profile([np.asarray(array, order="C") for array in arrays], runs))
        except self._errors as error:
            raise _ours(error) from error

    def bound(self, shapes: Mapping[str, Sequence[int]]) -> Binding:
        """What inputs of these shapes make of the plan, without a run. Raises as ``run`` does."""
        if set(shapes) != set(self.input_names):
            raise InputMismatchError(f"the inputs are {sorted(shapes)}, the plan's are {sorted(self.input_names)}")
        try:
            return Binding.of(self._session.bound([list(shapes[name]) for name in self.input_names]))
        except self._errors as error:
            raise _ours(error) from error

    def facts(self) -> dict[str, Any]:
        """``isa``, ``threads``, ``weight_bytes``, ``arena_bytes`` (of the sizes that ran last), ``operators``."""
        return dict(self._session.facts())

    def _by_name(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """In the plan's order."""
        if set(inputs) != set(self.input_names):
            raise InputMismatchError(f"the inputs are {sorted(inputs)}, the plan's are {sorted(self.input_names)}")
        return [inputs[name] for name in self.input_names]


def _ours(error: Exception) -> Exception:
    """An error of the executor, or a ``TypeError`` of its binding, as one of ours."""
    if isinstance(error, TypeError):
        return InputMismatchError(f"the executor does not take this: {str(error).splitlines()[0]}")
    what, fault = error.args
    if fault == "memory":
        return MemoryError(what)
    kinds = {"plan": PlanError, "unsupported": UnsupportedError, "input": InputMismatchError}
    fixes = {"plan": "Lower the model again."}
    return kinds.get(fault, EngineError)(what, fixes.get(fault, ""))
