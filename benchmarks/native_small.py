"""The native engine's operators beside int8 products and attention, one thread, AVX2: how near each is to its limit.

Compared: each operator at the sizes of MiniLM with 128 tokens, as a plan of one operator through
``speedwell.native.Session``, with the larger of two times that it cannot go under:

- bytes: what it reads and writes, at the speed at which numpy copies as many bytes between arrays of the same total
  size (so that they come from the same cache), in the same rounds;
- instructions: of its arithmetic, counted in the source by vector of 8 lanes (``Case.instructions``: no loads, no
  stores, no loop), three a cycle; a division keeps its unit for five cycles; of multiply-adds there are two a cycle.
  The clock is measured in the same rounds (native_clock.py).

A case's ratio is the limit over the operator's time: 1 would be the limit itself. All are asked in turn, in random
order in each round; seconds are the executor's own (``Session.profile``).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interval import median_interval
from native_clock import HOW, Clock
from native_turn import runs_a_turn
from record import Record, parser
from speedwell.native import Session, supported_isas, write_plan

ISA, LANES = "avx2", 8
A_CYCLE, DIVISION, MULTIPLY_ADDS = 3, 5, 2
SECONDS_A_TURN = 0.005
TOKENS, WIDE, HIDDEN, HEADS = 128, 384, 1536, 12
PRODUCTS = ((HIDDEN, WIDE), (WIDE, HIDDEN), (3072, 768), (768, 3072))
"""Columns and depth: the feed-forward parts of MiniLM and of BERT."""
STEPS = {"scale": 0.05, "zero": 128, "low": 0, "high": 255}


@dataclass(frozen=True)
class Case:
    """``feeds`` come before ``held``, unless ``order`` says where each input is. ``outputs``: bytes of all of them.

    ``instructions`` and ``divisions``: for each vector of the largest operand.
    """

    kind: str
    feeds: tuple[np.ndarray, ...]
    outputs: tuple[int, ...]
    instructions: float = 0.0
    divisions: int = 0
    held: tuple[np.ndarray, ...] = ()
    order: tuple[int, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    read: int = -1
    """Bytes that are read, where that is not all of the operands."""
    multiply_adds: int = 0
    """Of a product."""

    @property
    def bytes(self) -> int:
        read = sum(a.nbytes for a in (*self.feeds, *self.held)) if self.read < 0 else self.read
        return read + sum(self.outputs)

    def least(self, bandwidth: float, hertz: float) -> tuple[float, str]:
        """Seconds, and of what."""
        elements = max(a.size for a in self.feeds)
        cycles = elements / LANES * max(self.instructions / A_CYCLE, self.divisions * DIVISION)
        cycles += self.multiply_adds / LANES / MULTIPLY_ADDS
        by_bytes, by_instructions = self.bytes / bandwidth, cycles / hertz
        return (by_bytes, "bytes") if by_bytes >= by_instructions else (by_instructions, "instructions")


def cases() -> dict[str, Case]:
    """By name. The counts are of csrc/vector: exp.h 22 (15 below zero), activation.h, layer_norm.h, quantize.h 6."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    x, wide = normal(TOKENS, WIDE), normal(TOKENS, HIDDEN)
    qkv, heads = normal(1, TOKENS, HEADS, WIDE // HEADS), normal(HEADS, TOKENS, WIDE // HEADS)
    scores, table = normal(HEADS, TOKENS, TOKENS), normal(4096, WIDE)
    levels = rng.integers(0, 256, (TOKENS, HIDDEN), dtype=np.uint8)
    ids = rng.permutation(4096)[:TOKENS]
    whole, quarter = x.nbytes, x.size
    starts = tuple(np.array([n], np.int64) for n in (WIDE, 2 * WIDE, 1))
    return {
        "layer norm with residual, to floats and bytes": Case(
            "layer_norm", (x, normal(TOKENS, WIDE)), (whole, quarter), 14, held=(normal(WIDE), normal(WIDE)),
            order=(0, 2, 3, 1), attributes={"epsilon": 1e-12, "out": STEPS},
        ),
        "softmax": Case("Softmax", (scores,), (scores.nbytes,), 21, attributes={"axis": -1}),
        "gelu": Case("Gelu", (wide,), (wide.nbytes,), 21),
        "gelu, tanh": Case("Gelu", (wide,), (wide.nbytes,), 28, 1, attributes={"approximate": "tanh"}),
        "sigmoid": Case("Sigmoid", (wide,), (wide.nbytes,), 24, 1),
        "tanh": Case("Tanh", (wide,), (wide.nbytes,), 37, 1),
        "erf": Case("Erf", (wide,), (wide.nbytes,), 35),
        "exp": Case("Exp", (wide,), (wide.nbytes,), 22),
        "hard swish": Case("HardSwish", (wide,), (wide.nbytes,), 5),
        # of 32 bytes, so a quarter for 8: 64 instructions and the last one
        "lookup": Case("lookup", (levels,), (levels.nbytes,), 65 / 4, held=(levels[0, :256].copy(),)),
        "quantize": Case("quantize", (x,), (quarter,), 6, attributes=STEPS),
        "quantize, each row its range": Case(
            "quantize_rows", (x,), (quarter, 4 * TOKENS, TOKENS), 8, attributes={"high": 255}
        ),
        "dequantize": Case("dequantize", (levels,), (4 * levels.size,), 4, attributes={"scale": 0.05, "zero": 128}),
        "add": Case("Add", (x, normal(TOKENS, WIDE)), (whole,), 1),
        "times a vector": Case("Mul", (x,), (whole,), 1, held=(normal(WIDE),)),
        "gather": Case("Gather", (ids,), (whole,), held=(table,), order=(1, 0), attributes={"axis": 0}, read=whole),
        "transpose, heads before tokens": Case("Transpose", (qkv,), (whole,), attributes={"perm": [0, 2, 1, 3]}),
        "transpose, the last two": Case("Transpose", (heads,), (whole,), attributes={"perm": [0, 2, 1]}),
        "slice": Case("Slice", (normal(TOKENS, 3 * WIDE),), (whole,), held=(*starts[:2], starts[2]), read=whole),
        "concat": Case("Concat", (x, normal(TOKENS, WIDE)), (2 * whole,), attributes={"axis": -1}),
    } | {f"float32 product {n}x{k}": product(normal(TOKENS, k), normal(n, k)) for n, k in PRODUCTS}  # fmt: skip


def product(x: np.ndarray, weight: np.ndarray) -> Case:
    """Rows times a constant weight, float32."""
    rows, (columns, depth) = len(x), weight.shape
    return Case("gemm_float", (x,), (4 * rows * columns,), held=(weight,), multiply_adds=rows * columns * depth)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--rounds", type=int, help="other than 60 (--quick: 20)")
    arguments = made.parse_args()
    if ISA not in supported_isas():
        raise SystemExit(f"the native engine has no {ISA} here; it has {', '.join(supported_isas()) or 'none'}")
    every = cases()
    record = Record("native_small", list(every), arguments.quick)
    rounds = arguments.rounds or (20 if arguments.quick else 60)
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="speedwell-small-") as name:
        clock = Clock(Path(name))
        sessions = {case: opened(Path(name) / str(i), every[case]) for i, case in enumerate(every)}
        seconds: dict[str, list[float]] = {case: [] for case in every}
        copies: dict[str, list[float]] = {case: [] for case in every}
        ghz: list[float] = []
        runs = {case: runs_a_turn(sessions[case], every[case].feeds, SECONDS_A_TURN) for case in every}
        arrays = {case: tuple(np.ones(every[case].bytes // 2, np.uint8) for _ in range(2)) for case in every}
        for _ in range(rounds):
            for case in rng.permutation(list(every)):
                seconds[case].append(sessions[case].profile(every[case].feeds, runs[case])[0][2])
                copies[case].append(copied(*arrays[case]))
            ghz.append(clock.gigahertz())
    hertz = float(np.median(ghz)) * 1e9
    for case, what in every.items():
        least = [what.least(what.bytes / copy, hertz) for copy in copies[case]]
        share = median_interval([limit / taken for (limit, _), taken in zip(least, seconds[case], strict=True)])
        limit, of = what.least(what.bytes / float(np.median(copies[case])), hertz)
        ours = float(np.median(seconds[case]))
        note = f"{what.bytes / 1e3:.0f} KB, {what.bytes / ours / 1e9:.0f} GB/s; {HOW}: {hertz / 1e9:.2f} GHz"
        record.row(case, "us", ours * 1e6, f"limit by {of}", limit * 1e6, *share, rounds, note)
    record.samples.update({"seconds": seconds, "copies": copies, "gigahertz": ghz})
    record.finish(arguments.json)


def opened(folder: Path, case: Case) -> Session:
    """A plan of the one operator."""
    operands = len(case.feeds) + len(case.held)
    outputs = list(range(operands, operands + len(case.outputs)))
    plan = {
        "format": "speedwell-plan", "version": 1, "values": operands + len(outputs),
        "inputs": [{"name": f"x{i}", "value": i, "dtype": str(a.dtype), "shape": list(a.shape)}
                   for i, a in enumerate(case.feeds)],
        "outputs": [{"name": f"y{value}", "value": value} for value in outputs],
        "constants": [{"value": len(case.feeds) + i, "tensor": f"c{i}"} for i in range(len(case.held))],
        "operators": [{"kind": case.kind, "name": case.kind, "inputs": list(case.order or range(operands)),
                       "outputs": outputs, "attributes": dict(case.attributes)}],
    }  # fmt: skip
    write_plan(folder, plan, {f"c{i}": a for i, a in enumerate(case.held)})
    return Session(folder, 1, ISA)


def copied(to: np.ndarray, source: np.ndarray) -> float:
    """Seconds of one copy, of as many as take ``SECONDS_A_TURN``."""
    np.copyto(to, source)
    count, began = 0, time.perf_counter()
    while (taken := time.perf_counter() - began) < SECONDS_A_TURN:
        np.copyto(to, source)
        count += 1
    return taken / count


if __name__ == "__main__":
    main()
