"""The native engine's int8 product alone, on one thread: what longer runs in 16 bits buy, and how near the limit it is.

Compared, on AVX2: sums widened to 32 bits after every quad (T = 1, a plan without runs) with the runs that
``plan_runs`` finds on normal weights, for activations of 8 and of 7 bits, and with plans of uniform T = 4 and T = 8,
all of whose runs fit as they are (weights in [-16, 16] and [-8, 8]) or all centred (in [17, 32] and [9, 16]). Where the
CPU has more, its other instruction sets too. Plans of one operator through ``speedwell.native.Session``, u8 in and out,
one thread, all open in one process and asked in turn, in random order in each round; seconds are the executor's own
(``Session.profile``). A case's ratio is that of the planned runs over T = 1.

The limit is 53 products a cycle on AVX2 (``vpmaddubsw`` and the addition after it share ports: 1.65 a cycle, measured
on Zen 3) and 64 with VNNI (one 512-bit unit), times the clock, which is measured in the same rounds (native_clock.py).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interval import median_interval, paired_ratio
from native_clock import HOW, Clock
from native_turn import runs_a_turn
from record import Record, parser
from speedwell.native import Session, supported_isas, write_plan
from speedwell.native.runs import PANEL, plan_runs

SHAPES: Mapping[str, tuple[int, int, int]] = {"128x1536x384": (128, 1536, 384), "128x384x1536": (128, 384, 1536)}
"""Rows, columns and depth: the two products of MiniLM's feed-forward part at 128 tokens."""
A_CYCLE: Mapping[str, int] = {"avx2": 53, "avx512_vnni": 64}
SECONDS_A_TURN = 0.01


@dataclass(frozen=True)
class Variant:
    """``high``: largest activation. ``drawn``: weights are uniform between these; without, normal, of ``bits`` bits.

    ``runs``: 0 none, -1 planned, else all of that length.
    """

    name: str
    isa: str = "avx2"
    high: int = 255
    bits: int = 7
    drawn: tuple[int, int] = (0, 0)
    runs: int = 0


BASE, PLANNED = "avx2, T = 1", "avx2, T planned"
ON_AVX2 = (
    Variant(BASE),
    Variant(PLANNED, runs=-1),
    Variant("avx2, T planned, 7-bit activations", high=127, runs=-1),
    Variant("avx2, T = 4", drawn=(-16, 16), runs=4),
    Variant("avx2, T = 4, centred", drawn=(17, 32), runs=4),
    Variant("avx2, T = 8", drawn=(-8, 8), runs=8),
    Variant("avx2, T = 8, centred", drawn=(9, 16), runs=8),
)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--cases", default=",".join(SHAPES), help=f"of {', '.join(SHAPES)}")
    made.add_argument("--rounds", type=int, help="other than 60 (--quick: 20)")
    arguments = made.parse_args()
    if "avx2" not in supported_isas():
        raise SystemExit(f"the native engine has no avx2 here; it has {', '.join(supported_isas()) or 'none'}")
    others = [isa for isa in supported_isas() if isa not in ("avx2", "scalar")]
    variants = (*ON_AVX2, *(Variant(isa, isa, bits=8 if "vnni" in isa else 7) for isa in others))
    cases = arguments.cases.split(",")
    record = Record("native_gemm", cases, arguments.quick)
    rounds = arguments.rounds or (20 if arguments.quick else 60)
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="speedwell-gemm-") as name:
            one_shape(case, SHAPES[case], variants, rounds, Path(name), record)
    record.finish(arguments.json)


def one_shape(
    case: str, shape: tuple[int, int, int], variants: tuple[Variant, ...], rounds: int, folder: Path, record: Record
) -> None:
    """Open all, check each against integers, ask them in turn, add the rows."""
    rng = np.random.default_rng(0)
    sessions, notes = {}, {}
    for number, variant in enumerate(variants):
        weight = weights(variant, shape, rng)
        activations = rng.integers(0, variant.high + 1, (shape[0], shape[2]), dtype=np.uint8)
        session, notes[variant.name] = opened(folder / str(number), variant, weight)
        verify(session, activations, weight, variant)
        sessions[variant.name] = (session, activations)
    clock = Clock(folder)
    seconds, ghz = timed(sessions, rounds, clock, rng)
    rows(case, shape, variants, seconds, ghz, notes, record)
    record.samples[case] = {"seconds": seconds, "gigahertz": ghz}


def weights(variant: Variant, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """int8 [N, K]; normal ones fill their bits in each channel, as a quantized layer's do."""
    _, n, k = shape
    if any(variant.drawn):
        return rng.integers(variant.drawn[0], variant.drawn[1] + 1, (n, k), dtype=np.int8)
    drawn, most = rng.standard_normal((n, k)), 2 ** (variant.bits - 1) - 1
    found: np.ndarray = np.rint(drawn / np.abs(drawn).max(1, keepdims=True) * most).astype(np.int8)
    return found


def opened(folder: Path, variant: Variant, weight: np.ndarray) -> tuple[Session, str]:
    """A plan of one product, and what its runs are."""
    n, k = weight.shape
    tensors = {"w": weight, "s": np.full(n, 1e-3, np.float32)}
    note = ""
    if variant.runs < 0:
        planned = plan_runs(weight, variant.high)
        if planned is None:
            raise ValueError(f"{variant.name}: these weights allow no runs")
        tensors |= {"order": planned.order, "runs": planned.lengths}
        note = f"mean T {planned.mean:.2f}"
    elif variant.runs:
        panels, quads = -(-n // PANEL), -(-k // 4)
        order = np.tile(np.arange(quads, dtype=np.int32), (panels, 1))
        tensors |= {"order": order, "runs": np.full((panels, quads // variant.runs), variant.runs, np.int32)}
    values = {name: i + 1 for i, name in enumerate(tensors)}
    attributes = {"activation": "none", "input": steps(variant.high), "out": steps(255)}
    inputs = [0, values["w"], values["s"], -1, -1, values.get("order", -1), values.get("runs", -1)]
    plan = {
        "format": "speedwell-plan", "version": 1, "values": len(values) + 2,
        "inputs": [{"name": "a", "value": 0, "dtype": "uint8", "shape": ["rows", k]}],
        "outputs": [{"name": "y", "value": len(values) + 1}],
        "constants": [{"value": value, "tensor": name} for name, value in values.items()],
        "operators": [{"kind": "gemm_int8", "name": "product", "inputs": inputs[: 7 if variant.runs else 3],
                       "outputs": [len(values) + 1], "attributes": attributes}],
    }  # fmt: skip
    write_plan(folder, plan, tensors)
    return Session(folder, 1, variant.isa), note


def steps(high: int) -> dict[str, float | int]:
    """A quantization of [0, high] around its middle."""
    return {"scale": 0.05, "zero": (high + 1) // 2, "low": 0, "high": high}


def verify(session: Session, activations: np.ndarray, weight: np.ndarray, variant: Variant) -> None:
    """Raises ``ValueError`` unless the bytes are those of the exact sums; a value on a tie may round to either side."""
    sums = (activations.astype(np.int64) - steps(variant.high)["zero"]) @ weight.astype(np.int64).T
    want = np.clip(np.rint(sums * 1e-3) + 128, 0, 255)  # scales: 0.05 of the input over 0.05 of the output, 1e-3
    worst = np.abs(session.run([activations])[0].astype(np.int64) - want).max()
    if worst > 1:
        raise ValueError(f"{variant.name}: a byte is off by {worst:g}")


def timed(
    sessions: Mapping[str, tuple[Session, np.ndarray]], rounds: int, clock: Clock, rng: np.random.Generator
) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds of each variant and the clock, once a round."""
    count = {name: runs_a_turn(session, [a], SECONDS_A_TURN) for name, (session, a) in sessions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    ghz: list[float] = []
    for _ in range(rounds):
        for name in rng.permutation(list(sessions)):
            session, activations = sessions[str(name)]
            seconds[str(name)].append(session.profile([activations], count[str(name)])[0][2])
        ghz.append(clock.gigahertz())
    return seconds, ghz


def rows(
    case: str, shape: tuple[int, int, int], variants: tuple[Variant, ...], seconds: Mapping[str, list[float]],
    ghz: list[float], notes: Mapping[str, str], record: Record,
) -> None:  # fmt: skip
    """Each variant over T = 1, and as a share of its limit."""
    products, hertz = np.prod(shape) / 1e9, float(np.median(ghz))
    speed = {name: [products / s for s in taken] for name, taken in seconds.items()}
    middle = {name: float(np.median(taken)) for name, taken in speed.items()}
    for variant in variants:
        name = variant.name
        ours, n = middle[name], len(seconds[name])
        if name != BASE:
            found = paired_ratio(seconds[BASE], seconds[name])
            where = case if name == PLANNED else f"{case}, {name}"
            record.row(where, f"GMAC/s, {name}", ours, BASE, middle[BASE], *found, n, notes[name])
        if variant.isa in A_CYCLE:
            limit = A_CYCLE[variant.isa] * hertz
            share, low, high = (v / limit for v in median_interval(speed[name]))
            note = f"{HOW}: {hertz:.2f} GHz"
            peer = f"{A_CYCLE[variant.isa]} products a cycle"
            record.row(f"{case}, of the limit", f"GMAC/s, {name}", ours, peer, limit, share, low, high, n, note)


if __name__ == "__main__":
    main()
