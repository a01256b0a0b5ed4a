"""Speedwell's own engine: int8 and float32 kernels in C++ for CPUs. ONNX is lowered to a plan, the plan is executed."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NoReturn

import numpy as np

from .. import __version__
from ..core.context import Arrays
from ..core.errors import EngineError, OutputError, PlanError, SpeedwellError, UnsupportedError
from ..core.hardware import Hardware
from ..core.model import Form, Model
from ..core.protocols import Availability, OperatorTime
from ..core.protocols import Session as EngineSession
from ..core.workload import Workload
from .complaint import complaint
from .feed import Feed
from .operator_times import operator_times
from .precision import QUANTIZED, asked

__all__ = ["MOST_THREADS", "Native", "NativeSession"]

MOST_THREADS = 64
UNSUPPORTED = "unsupported:"
LAYERS = ("gemm", "conv", "MatMul", "Gemm", "Conv")
"""How the kinds of operators begin that hold a network's arithmetic: what "int8 layers: 20 of 22" counts. In integers
are those that end in "_int8" or "_int4".
"""


class Native:
    """Reads the ONNX form: float32, both forms in int8, and weights in int4. What it has no operator for it refuses by
    name, with an ``UnsupportedError`` that begins with "unsupported:".
    """

    name = "native"

    def __init__(self, keeps: bool = False) -> None:
        self._keeps = keeps

    def keeping(self) -> Native:
        """The same engine; what it lowers it keeps beside the payload (``core.Keeps``)."""
        return Native(keeps=True)

    def availability(self, hardware: Hardware) -> Availability:  # noqa: ARG002 - the scalar kernels run on every CPU
        from ..native import available

        ok, why_not = available()
        return Availability(ok, __version__ if ok else "", why_not)

    def reads(self, form: Form, traits: frozenset[str]) -> str:
        if form != "onnx":
            return f"reads the onnx form only, this is {form} (to_onnx converts it)"
        for trait, words in (("bf16", "bfloat16"), ("f16", "float16")):
            if trait in traits:
                return f"has no {words} kernels: it computes in int8 (weights of 8 or 4 bits) and float32"
        return ""

    def compile(self, model: Model, workload: Workload, scratch: Path) -> EngineSession:
        if why := self.reads(model.form, model.traits):
            raise EngineError(f"{self.name} {why}")
        scratch.mkdir(parents=True, exist_ok=True)
        return NativeSession(model, workload.threads, scratch, self._keeps)


class NativeSession:
    """One executor: any batch and sequence; memory is planned anew when other sizes come. A plan that lies beside the
    payload and belongs to it is opened; else the model is lowered, to a plan beside the payload (``keeps``) or to one
    under ``scratch`` that is removed once it is open.
    """

    def __init__(self, model: Model, threads: int, scratch: Path, keeps: bool = False) -> None:
        self._model = model
        self._feed = Feed(model.signature)
        self._outputs = model.signature.output_names
        self._session: Any = None
        try:
            session, operators = _opened(model.payload, min(threads, MOST_THREADS), scratch, keeps)
        except Exception as error:
            _raise("compile", error)
        names = model.signature.input_names
        if set(session.input_names) != set(names) or not set(self._outputs) <= set(session.output_names):
            raise EngineError(
                f"native sees inputs {list(session.input_names)} and outputs {list(session.output_names)},"
                f" the signature says {list(names)} and {list(self._outputs)}"
            )
        self._order = [names.index(name) for name in session.input_names]
        self._session = session
        layers = [kind for kind in operators if kind.startswith(LAYERS)]
        self._layers = len(layers)
        self._integer = sum(kind.endswith(("_int8", "_int4")) for kind in layers)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """The arrays belong to the caller: outputs are copied out of the executor's memory."""
        session = self._alive()
        arrays = self._feed(inputs)
        try:
            values = session.run([arrays[i] for i in self._order])
        except Exception as error:
            _raise("run", error)
        outputs = dict(zip(session.output_names, values, strict=True))
        return {name: outputs[name] for name in self._outputs}

    def profile(self, inputs: Arrays, runs: int) -> tuple[OperatorTime, ...]:
        """From the executor's own clock, operator by operator; one more run before is not counted."""
        session = self._alive()
        arrays = self._feed(inputs)
        try:
            rows = session.profile([arrays[i] for i in self._order], runs)
        except Exception as error:
            _raise("run", error)
        return operator_times([(kind, seconds, 1) for _, kind, seconds in rows], 1)

    def facts(self) -> dict[str, str]:
        """``isa``: the instruction set of its kernels; ``arena``: memory for the sizes that ran last."""
        facts = self._alive().facts()
        quantized, wanted = bool(self._model.traits & QUANTIZED), asked(self._model.traits)
        precision = wanted if not quantized or self._integer * 2 > self._layers else "float32"
        return {
            "provider": "speedwell",
            "precision": precision,
            "threads": str(facts["threads"]),
            "version": __version__,
            "isa": str(facts["isa"]),
            "weights": f"{facts['weight_bytes']:,} bytes",
            "arena": f"{facts['arena_bytes']:,} bytes",
        } | ({f"{wanted} layers": f"{self._integer} of {self._layers}"} if quantized else {})

    def close(self) -> None:
        self._session = None

    def _alive(self) -> Any:
        if self._session is None:
            raise EngineError("this native session is closed")
        return self._session


def _opened(onnx: Path, threads: int, scratch: Path, keeps: bool) -> tuple[Any, list[str]]:
    """The executor's session, and the kind of every operator of its plan."""
    from ..native import Session, find_plan, keep_plan, lower, read_plan

    kept = None
    with contextlib.suppress(OutputError):  # a folder that cannot be written to: lowered below, as without keeping
        kept = keep_plan(onnx) if keeps else find_plan(onnx)
    # a kept plan that the executor does not take was made by another version of Speedwell
    with contextlib.suppress(PlanError, UnsupportedError):
        if kept is not None:
            return Session(kept, threads), [operator.kind for operator in read_plan(kept).operators]
    folder = Path(mkdtemp(prefix="native-", dir=scratch))
    try:
        facts = lower(onnx, folder)
        return Session(folder, threads), [kind for kind, n in facts.operators.items() for _ in range(n)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _raise(doing: str, error: Exception) -> NoReturn:
    """What the engine lacks as "unsupported: ...", running out of memory as it is, all else as its complaint."""
    if isinstance(error, UnsupportedError):
        what = error.what if error.what.startswith(UNSUPPORTED) else UNSUPPORTED + " " + error.what
        raise UnsupportedError(what, error.fix) from error
    if isinstance(error, SpeedwellError):
        raise error
    raise complaint("native", doing, error) from error
