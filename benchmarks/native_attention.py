"""The native engine's attention alone, on one thread: int8 products against our own float32 ones, and what they cost.

Compared, on each instruction set that this CPU has: one ``attention`` operator over q, k and v side by side (float32,
from one tensor, as a merged product leaves them), ``precision`` int8 over float32. Heads of 32 (MiniLM) and 64 (BERT,
DeiT, ViT) at 16, 128, 197 and 512 positions. A plan of one operator each, all open in one process and asked in turn, in
random order in each round; seconds are the executor's own (``Session.profile``). A ratio is the float32 kernel's time
over the int8 kernel's. Times are the least of a block of rounds, and the interval is over blocks: a neighbour on the
machine lengthens some turns, and seldom all of a block.

``expected`` in a row is what was written down before the kernel was: cycles a score of both products at the rate of the
instruction set (float32: 16 products a cycle, 32 with AVX-512; int8: 32 without VNNI, 128 with), of the softmax and of
the packing. Errors are to float64, on normal q, k and v (scores of spread 1): the largest, and the cosine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from interval import paired_ratio
from native_turn import runs_a_turn
from record import Record, parser
from speedwell.native import Session, supported_isas, write_plan

SHAPES: Mapping[str, tuple[int, int, int]] = {
    f"{d}x{n}": (12 if d == 32 else 3, d, n) for d in (32, 64) for n in (16, 128, 197, 512)
}
"""Heads, their width, positions."""
EXPECTED: Mapping[str, Mapping[str, float]] = {
    "avx2": {"32x16": 1.0, "32x128": 1.6, "32x197": 1.7, "32x512": 1.75, "64x16": 1.0, "64x128": 1.65, "64x197": 1.7,
             "64x512": 1.85},
    "avx512_vnni": {"32x16": 1.2, "32x128": 2.2, "32x197": 2.3, "32x512": 2.4, "64x16": 1.2, "64x128": 2.5,
                    "64x197": 2.6, "64x512": 2.85},
}  # fmt: skip
PRECISIONS = ("float32", "int8")
BLOCK = 8
SECONDS_A_TURN = 0.002


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--cases", default=",".join(SHAPES), help=f"head width x positions, of {', '.join(SHAPES)}")
    made.add_argument("--isas", default=",".join(i for i in supported_isas() if i != "scalar"))
    made.add_argument("--blocks", type=int, help=f"of {BLOCK} rounds, other than 24 (--quick: 8)")
    arguments = made.parse_args()
    isas, cases = arguments.isas.split(","), arguments.cases.split(",")
    if not set(isas) <= set(supported_isas()):
        raise SystemExit(f"the native engine has {', '.join(supported_isas()) or 'no instruction set'} here")
    record = Record("native_attention", [f"{case}, {isa}" for isa in isas for case in cases], arguments.quick)
    blocks = arguments.blocks or (8 if arguments.quick else 24)
    for case in cases:
        one_shape(case, isas, blocks, record)
    record.finish(arguments.json)


def one_shape(case: str, isas: list[str], blocks: int, record: Record) -> None:
    """Open a session for each precision and instruction set, ask them in turn, add the rows."""
    heads, d, n = SHAPES[case]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, n, 3 * heads * d)).astype(np.float32)
    sessions: dict[tuple[str, str], Session] = {}
    with tempfile.TemporaryDirectory(prefix="speedwell-attention-") as name:
        for precision in PRECISIONS:
            write_plan(Path(name), plan(heads, d, precision), {})
            for isa in isas:
                sessions[isa, precision] = Session(Path(name), 1, isa)
    turns = {key: runs_a_turn(session, [x], SECONDS_A_TURN) for key, session in sessions.items()}
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in sessions}
    keys = list(sessions)
    for _ in range(blocks):
        least = dict.fromkeys(keys, np.inf)
        for _ in range(BLOCK):
            for i in rng.permutation(len(keys)):
                key = keys[int(i)]
                least[key] = min(least[key], sessions[key].profile([x], turns[key])[0][2])
        for key in keys:
            seconds[key].append(float(least[key]))
    want = exact(x, heads, d)
    for isa in isas:
        base, ours = seconds[isa, "float32"], seconds[isa, "int8"]
        errors = "; ".join(f"{p} {error_of(sessions[isa, p].run([x])[0], want)}" for p in PRECISIONS)
        expected = EXPECTED.get(isa, {}).get(case)
        note = (f"expected {expected:g}; " if expected else "") + errors
        found = paired_ratio(base, ours)
        record.row(f"{case}, {isa}", "us, int8", min(ours) * 1e6, "float32", min(base) * 1e6, *found, len(ours), note)
        record.samples[f"{case}, {isa}"] = {"float32": base, "int8": ours}


def plan(heads: int, d: int, precision: str) -> dict[str, object]:
    """q, k and v side by side in one input, for any number of positions."""
    wide = heads * d
    attributes = {
        "heads": heads, "head_dim": d, "scale": d**-0.5, "q_offset": 0, "k_offset": wide, "v_offset": 2 * wide,
        "precision": precision,
    }  # fmt: skip
    return {
        "format": "speedwell-plan", "version": 1, "values": 2,
        "inputs": [{"name": "x", "value": 0, "dtype": "float32", "shape": ["batch", "positions", 3 * wide]}],
        "outputs": [{"name": "y", "value": 1}], "constants": [],
        "operators": [{"kind": "attention", "name": "attention", "inputs": [0, 0, 0, -1], "outputs": [1],
                       "attributes": attributes}],
    }  # fmt: skip


def exact(x: np.ndarray, heads: int, d: int) -> np.ndarray:
    """The definition in float64."""
    q, k, v = x.astype(np.float64).reshape(*x.shape[:2], 3, heads, d).transpose(2, 0, 3, 1, 4)
    scores = q @ k.transpose(0, 1, 3, 2) * d**-0.5
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True) @ v
    return np.asarray(y.transpose(0, 2, 1, 3)).reshape(*x.shape[:2], heads * d)


def error_of(y: np.ndarray, want: np.ndarray) -> str:
    cosine = float((y * want).sum() / np.sqrt((y.astype(np.float64) ** 2).sum() * (want**2).sum()))
    return f"off by {np.abs(y - want).max():.1e}, cosine 1 - {1 - cosine:.1e}"


if __name__ == "__main__":
    main()
