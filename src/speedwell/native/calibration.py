"""How fast this machine is at the executor's own work, measured now: products, and a stream through memory.

What the estimates of ``explain plan`` stand on. Every rate is the best of many short runs: what nothing disturbed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .plan import Constant, Input, Operator, Output, Plan
from .runs import PANEL
from .session import Session
from .write import write_plan

__all__ = ["LONG_RUN", "ROWS", "WIDTH", "AttentionSize", "Rates", "Stream", "calibrate"]

ROWS, WIDTH = 96, 768
"""The product that is timed: [ROWS, WIDTH] by [WIDTH, WIDTH]."""
LONG_RUN = 8
HEADS = 12
"""Of the attention that is timed: a head of most networks costs too little to be timed alone."""
ARENA_LEAST, STREAM_LEAST, STREAM_MOST = 64 << 10, 1 << 20, 64 << 20
SECONDS, LEAST, MOST = 0.12, 3, 200


@dataclass(frozen=True)
class Stream:
    """``bandwidth``: bytes a second, read and written together, of a sum of two arrays of ``bytes`` in all."""

    bytes: int
    bandwidth: float


@dataclass(frozen=True)
class AttentionSize:
    """An attention to time: ``positions`` queries by as many keys of ``head_dim`` channels. ``precision``: as in the
    plan; what "fastest" takes depends on the positions.
    """

    positions: int
    head_dim: int
    precision: str


@dataclass(frozen=True)
class Rates:
    """Multiply-adds a second of an int8 product at T = 1 and at ``LONG_RUN`` (equal where the CPU does not widen), of a
    float32 product, and of an attention; 0 where the plan has no use for a rate. Two streams, because weights come from
    a cache farther off than activations: as much as a whole run touches, and as much as the arena.
    """

    int8: float
    int8_long: float
    float32: float
    attention: float
    weights: Stream
    activations: Stream

    def int8_seconds(self, multiply_adds: int, mean_run: float) -> float:
        """A run of T quads costs a T + b, so a quad a + b / T: a line through the two that were timed."""
        short, long = 1 / self.int8, 1 / self.int8_long
        step = (short - long) / (1 - 1 / LONG_RUN)
        return multiply_adds * max(short - step * (1 - 1 / max(mean_run, 1.0)), 0.0)


def calibrate(
    threads: int, isa: str, weight_bytes: int, arena_bytes: int, int8: bool, widens: bool, float32: bool,
    attention: AttentionSize | None,
) -> Rates:  # fmt: skip
    """``isa`` and ``threads`` as the session has them. ``widens``: the kernels of ``isa`` use runs. Takes under a
    second on any kernels but the scalar ones.
    """
    rng = np.random.default_rng(0)
    work = ROWS * WIDTH * WIDTH
    a, weight = (
        rng.integers(0, 256, (ROWS, WIDTH)).astype(np.uint8),
        rng.integers(-8, 9, (WIDTH, WIDTH)).astype(np.int8),
    )
    scale = np.full(WIDTH, 1e-3, np.float32)
    steps = {"scale": 0.01, "zero": 0, "low": 0, "high": 255}
    one = long = real = attend = 0.0
    if int8:
        attributes = {"input": steps, "out": steps}
        one = long = work / _best(threads, isa, "gemm_int8", [a], [weight, scale], attributes)
        if widens:
            quads, panels = WIDTH // 4, WIDTH // PANEL
            order = np.tile(np.arange(quads, dtype=np.int32), (panels, 1))
            lengths = np.full((panels, quads // LONG_RUN), LONG_RUN, np.int32)
            held: list[np.ndarray | None] = [weight, scale, None, None, order, lengths]
            long = max(one, work / _best(threads, isa, "gemm_int8", [a], held, attributes))
    if float32:
        x = rng.standard_normal((ROWS, WIDTH), np.float32)
        real = work / _best(threads, isa, "gemm_float", [x], [rng.standard_normal((WIDTH, WIDTH), np.float32)], {})
    if attention is not None:
        attend = _attention(threads, isa, attention)
    arena = min(max(arena_bytes, ARENA_LEAST), STREAM_MOST)
    whole = min(max(weight_bytes + arena_bytes, STREAM_LEAST), STREAM_MOST)
    return Rates(one, long, real, attend, _stream(threads, isa, whole), _stream(threads, isa, arena))


def _attention(threads: int, isa: str, size: AttentionSize) -> float:
    wide, d = HEADS * size.head_dim, size.head_dim
    x = np.random.default_rng(1).standard_normal((3, 1, size.positions, wide), np.float32)
    attributes = {"heads": HEADS, "head_dim": d, "scale": d**-0.5, "precision": size.precision}
    seconds = _best(threads, isa, "attention", list(x), [], attributes)
    return 2 * HEADS * size.positions**2 * d / seconds


def _stream(threads: int, isa: str, whole: int) -> Stream:
    x = np.ones(whole // 12, np.float32)
    return Stream(12 * x.size, 12 * x.size / _best(threads, isa, "Add", [x, x.copy()], [], {}))


def _best(
    threads: int, isa: str, kind: str, feeds: Sequence[np.ndarray], held: Sequence[np.ndarray | None],
    attributes: Mapping[str, object],
) -> float:  # fmt: skip
    """Seconds of one operator as a plan of its own, the inputs before the constants; None is one left out."""
    operands = [*feeds, *held]
    numbers = [-1 if array is None else i for i, array in enumerate(operands)]
    constants = {f"c{i}": array for i, array in enumerate(held, len(feeds)) if array is not None}
    plan = Plan(
        len(operands) + 1,
        tuple(Input(f"x{i}", i, str(array.dtype), array.shape) for i, array in enumerate(feeds)),
        (Output("y", len(operands)),),
        tuple(Constant(int(name[1:]), name) for name in constants),
        (Operator(kind, kind, tuple(numbers), (len(operands),), dict(attributes)),),
    )
    with tempfile.TemporaryDirectory(prefix="speedwell-") as folder:
        write_plan(Path(folder), plan, constants)
        session = Session(Path(folder), threads, isa)
        until, best, count = time.monotonic() + SECONDS, float("inf"), 0
        while count < LEAST or (count < MOST and time.monotonic() < until):
            best = min(best, session.profile(feeds, 1)[0][2])
            count += 1
        return max(best, 1e-9)
