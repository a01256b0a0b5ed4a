"""A plan opened on this machine: arrays in, arrays out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
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
        with _translated(self._engine):
            self._session = self._engine.Session(text, str(folder / WEIGHTS), threads, isa)
        content = json.loads(text)  # the executor has read it by now, with stricter rules
        self.input_names = tuple(str(entry["name"]) for entry in content["inputs"])
        self.output_names = tuple(str(entry["name"]) for entry in content["outputs"])

    @overload
    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]: ...

    @overload
    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def run(self, inputs: Any) -> Any:
        """Outputs for inputs in the plan's order, or by name for inputs by name. They belong to the caller."""
        arrays = self._ordered(inputs)
        with _translated(self._engine):
            outputs = self._session.run(arrays)
        return dict(zip(self.output_names, outputs, strict=True)) if isinstance(inputs, Mapping) else list(outputs)

    def profile(
        self, inputs: Sequence[np.ndarray] | Mapping[str, np.ndarray], runs: int
    ) -> list[tuple[str, str, float]]:
        """Name, kind and mean seconds of each operator over ``runs`` runs; one more before them is not counted."""
        arrays = self._ordered(inputs)
        with _translated(self._engine):
            return list(self._session.profile(arrays, runs))

    def bound(self, shapes: Mapping[str, Sequence[int]]) -> Binding:
        """What inputs of these shapes make of the plan, without a run. Raises as ``run`` does."""
        if set(shapes) != set(self.input_names):
            raise InputMismatchError(f"the inputs are {sorted(shapes)}, the plan's are {sorted(self.input_names)}")
        with _translated(self._engine):
            return Binding.of(self._session.bound([list(shapes[name]) for name in self.input_names]))

    def facts(self) -> dict[str, Any]:
        """``isa``, ``threads``, ``weight_bytes``, ``arena_bytes`` (of the sizes that ran last), ``operators``."""
        return dict(self._session.facts())

    def _ordered(self, inputs: Sequence[np.ndarray] | Mapping[str, np.ndarray]) -> list[np.ndarray]:
        if isinstance(inputs, Mapping):
            if set(inputs) != set(self.input_names):
                raise InputMismatchError(f"the inputs are {sorted(inputs)}, the plan's are {sorted(self.input_names)}")
            inputs = [inputs[name] for name in self.input_names]
        return [np.asarray(array, order="C") for array in inputs]


@contextlib.contextmanager
def _translated(module: ModuleType) -> Iterator[None]:
    """The executor's errors as ours."""
    try:
        yield
    except module.Error as error:
        what, fault = error.args
        if fault == "memory":
            raise MemoryError(what) from error
        kinds = {"plan": PlanError, "unsupported": UnsupportedError, "input": InputMismatchError}
        fixes = {"plan": "Lower the model again."}
        raise kinds.get(fault, EngineError)(what, fixes.get(fault, "")) from error
    except TypeError as error:
        raise InputMismatchError(f"the executor does not take this: {str(error).splitlines()[0]}") from error
