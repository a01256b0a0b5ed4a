"""A plan explained: what each operator meets, holds and moves, how long it should take here and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..core.errors import EngineError
from .binding import Operand, Step
from .calibration import Rates, calibrate
from .input_sizes import choose_sizes, filled_inputs
from .plan import Operator
from .plan_folder import read_plan, read_tensors
from .session import Session
from .widening import Widening, shares_by_length, widenings
from .work import Work

__all__ = ["ExplainedOperator", "ExplainedProduct", "Explanation", "explain"]

SECONDS, LEAST, MOST = 0.6, 5, 40


@dataclass(frozen=True)
class ExplainedOperator:
    """``mean_run``: T, None where it is no int8 product. ``weight_bytes``: its constants. ``read_bytes`` and
    ``written_bytes``: activations. ``estimated``, ``measured``: seconds.
    """

    kind: str
    name: str
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand | None, ...]
    mean_run: float | None
    multiply_adds: int
    weight_bytes: int
    read_bytes: int
    written_bytes: int
    scratch_bytes: int
    estimated: float
    measured: float


@dataclass(frozen=True)
class ExplainedProduct:
    """One int8 product at these sizes: ``rows`` by ``widening.columns`` by ``widening.depth``."""

    widening: Widening
    rows: int
    multiply_adds: int


@dataclass(frozen=True)
class Explanation:
    """``chosen``: the free sizes that nobody asked for. ``bound``: operators of the plan that do not run at these sizes
    (computed once from shapes and constants, or another shape of the same bytes). ``run_shares``: T to the share of
    the int8 products' multiply-adds. ``widens``: the kernels of ``isa`` use T. ``runs``: that each time is the best of.
    """

    source: str
    lowered_seconds: float | None
    isa: str
    threads: int
    shapes: Mapping[str, tuple[int, ...]]
    chosen: Mapping[str, int]
    weight_bytes: int
    arena_bytes: int
    bound: int
    operators: tuple[ExplainedOperator, ...]
    products: tuple[ExplainedProduct, ...]
    run_shares: Mapping[int, float]
    widens: bool
    rates: Rates
    runs: int
    notes: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        """For a person, in 80 columns."""
        from .explained_text import explained_text

        return explained_text(self)


def explain(
    folder: Path,
    shapes: Mapping[str, Sequence[int]] | None = None,
    isa: str = "",
    threads: int = 1,
    source: str = "",
    lowered_seconds: float | None = None,
    notes: tuple[str, ...] = (),
) -> Explanation:
    """Open the plan in ``folder``, bind it to ``shapes`` (what they leave free is chosen, input_sizes.py), calibrate
    and time it. ``source`` and ``lowered_seconds``: what it was lowered from, and how long that took.

    Raises what ``Session`` raises, ``InputMismatchError`` for shapes that do not fit, ``EngineError`` for sizes that
    need more memory than there is.
    """
    try:
        return _explain(folder, shapes or {}, isa, threads, source or str(folder), lowered_seconds, notes)
    except MemoryError as error:
        raise EngineError(f"no memory for these sizes: {error}", "Ask for smaller ones: --shape NAME=SIZES") from error


def _explain(
    folder: Path, shapes: Mapping[str, Sequence[int]], isa: str, threads: int, source: str,
    lowered_seconds: float | None, notes: tuple[str, ...],
) -> Explanation:  # fmt: skip
    session = Session(folder, threads, isa)
    plan = read_plan(folder)
    sizes = choose_sizes(plan.inputs, shapes)
    binding = session.bound(sizes.shapes)
    facts = session.facts()
    widens = facts["isa"] == "avx2"
    by_operator = {w.operator: w for w in widenings(plan, lambda names: read_tensors(folder, names))}
    drafts = [_draft(plan.operators[s.operator], s, by_operator.get(s.operator), widens) for s in binding.steps]
    measured, runs = _measure(session, filled_inputs(plan.inputs, sizes.shapes))
    touched = sum(draft.touched for draft in drafts)
    integer, real = (any(d.work.rate == rate for d in drafts) for rate in ("int8", "float32"))
    attention = max(
        (d.work for d in drafts if d.work.attention), key=lambda w: w.multiply_adds, default=Work()
    ).attention
    rates = calibrate(threads, facts["isa"], touched, binding.arena_bytes, integer, widens, real, attention)
    operators = tuple(_explained(d, rates, float(t)) for d, t in zip(drafts, measured, strict=True))
    products = tuple(
        ExplainedProduct(w, d.work.multiply_adds // max(1, w.columns * w.depth), d.work.multiply_adds)
        for d in drafts
        if (w := d.widening) is not None
    )
    return Explanation(
        source, lowered_seconds, facts["isa"], threads, sizes.shapes, sizes.chosen,
        facts["weight_bytes"], binding.arena_bytes, len(plan.operators) - len(binding.steps), operators, products,
        shares_by_length((p.widening, p.multiply_adds) for p in products), widens, rates, runs, notes,
    )  # fmt: skip


@dataclass(frozen=True)
class _Draft:
    """An operator before it is timed. ``touched``: bytes of its constants that a run reads."""

    operator: Operator
    step: Step
    widening: Widening | None
    work: Work
    weight_bytes: int
    touched: int
    read_bytes: int
    written_bytes: int


def _draft(operator: Operator, step: Step, widening: Widening | None, widens: bool) -> _Draft:
    inputs = step.inputs if widens or widening is None else step.inputs[:5]  # without runs that nobody reads
    held = sum(o.bytes for o in inputs if o is not None and o.home == "fixed")
    read = sum({(o.home, o.at): o.bytes for o in step.inputs if o is not None and o.home != "fixed"}.values())
    written = sum(o.bytes for o in step.outputs if o is not None)
    touched = min(held, written) if operator.kind in ("Gather", "GatherND", "GatherElements") else held
    return _Draft(operator, step, widening, Work.of(operator, step), held, touched, read, written)


def _measure(session: Session, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, int]:
    """Seconds of each operator, the least of so many runs: as the rates, what nothing disturbed."""
    runs: list[list[float]] = []
    until = time.monotonic() + SECONDS
    while len(runs) < LEAST or (len(runs) < MOST and time.monotonic() < until):
        runs.append([seconds for _, _, seconds in session.profile(inputs, 1)])
    return np.asarray(runs).min(0), len(runs)


def _explained(draft: _Draft, rates: Rates, measured: float) -> ExplainedOperator:
    mean = draft.widening.mean if draft.widening is not None else None
    moved = draft.touched / rates.weights.bandwidth
    moved += (draft.read_bytes + draft.written_bytes) / rates.activations.bandwidth
    return ExplainedOperator(
        draft.operator.kind, draft.operator.name, draft.step.inputs, draft.step.outputs,
        mean, draft.work.multiply_adds, draft.weight_bytes, draft.read_bytes, draft.written_bytes,
        draft.step.scratch_bytes, max(draft.work.seconds(rates, mean), moved), measured,
    )  # fmt: skip
