"""The native engine's products with weights of 4 bits against those of 8, and against ONNX Runtime's MatMulNBits.

A stack of layers, K columns to N and back again, as a transformer's feed-forward part, as many as hold 48 MB in int8:
weights come from where they lie in a network that runs, not from the cache of a loop over one product. Float rows go in
and come out, each quantized at run time. ONNX Runtime has the same 4-bit weights (block 32, accuracy_level 4: it
quantizes activations to int8 too). One thread, all open in one process, asked in turn in random order in each round; a
turn's value is the least of several calls, so that a loaded machine counts little.

The limit of one product is the greater of bytes over bandwidth (a loop that reads 48 MB, measured in the same rounds)
and products over rate (53 a cycle on AVX2, as native_gemm.py says, and 128 with VNNI: two 512-bit units; Zen 4 has
one). Int4 reads 5 bits a weight with one float scale for 32 weights, 4.25 for 128: at few rows it can be 1.6 and 1.9
times as fast as int8, at many it has more to do.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from interval import paired_ratio
from native_clock import Clock
from record import Record, parser
from speedwell.engines.inductor import compiler
from speedwell.native import Session, supported_isas, write_plan
from speedwell.native.runs import plan_runs

SHAPES: Mapping[str, tuple[int, int]] = {"384x1536": (384, 1536), "768x3072": (768, 3072)}
"""Columns in and inside: MiniLM's and BERT-base's feed-forward parts."""
ROWS = (1, 4, 16, 128)
INT8_BYTES = 48e6
CALLS = 5
A_CYCLE: Mapping[str, int] = {"avx2": 53, "avx512_vnni": 128}
READER = """
#include <immintrin.h>
extern "C" long total(const char* p, long n) {
  __m256i sum[4] = {};  // four streams, as a product reads four panels
  for (long i = 0; i + 64 <= n / 4; i += 64)
    for (int k = 0; k < 4; ++k)
      for (int h = 0; h < 64; h += 32)
        sum[k] = _mm256_add_epi64(sum[k], _mm256_loadu_si256((const __m256i*)(p + n / 4 * k + i + h)));
  sum[0] = _mm256_add_epi64(_mm256_add_epi64(sum[0], sum[1]), _mm256_add_epi64(sum[2], sum[3]));
  return sum[0][0] + sum[0][1] + sum[0][2] + sum[0][3];
}
"""


@dataclass(frozen=True)
class Variant:
    """``group``: terms that share a scale; 0 is int8. ``isa`` "" is ONNX Runtime."""

    name: str
    isa: str
    group: int = 0

    @property
    def bits(self) -> float:
        """Of a weight, its scale included."""
        return 4 + 32 / self.group if self.group else 8.0


PEER = Variant("onnxruntime int4, block 32", "", 32)


def variants() -> list[Variant]:
    """Each instruction set that is timed, in the order of the table."""
    isas = [isa for isa in supported_isas() if isa in A_CYCLE]
    each = [(f"{isa} int4 of {group}", isa, group) for isa in isas for group in (32, 128)]
    return [Variant(*one) for one in each] + [Variant(f"{isa} int8", isa) for isa in isas] + [PEER]


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--rounds", type=int, help="other than 40 (--quick: 12)")
    made.add_argument("--shapes", default=",".join(SHAPES), help=f"of {', '.join(SHAPES)}")
    arguments = made.parse_args()
    if not supported_isas() or supported_isas()[0] not in A_CYCLE:
        raise SystemExit(
            f"timed are {', '.join(A_CYCLE)}; the native engine has {', '.join(supported_isas()) or 'none'}"
        )
    shapes = arguments.shapes.split(",")
    record = Record("native_int4", [f"{rows} rows, {shape}" for shape in shapes for rows in ROWS], arguments.quick)
    rounds = arguments.rounds or (12 if arguments.quick else 40)
    for shape in shapes:
        with tempfile.TemporaryDirectory(prefix="speedwell-int4-") as name:
            one_shape(shape, rounds, Path(name), record)
    record.finish(arguments.json)


def one_shape(shape: str, rounds: int, folder: Path, record: Record) -> None:
    """Open the whole stack of every variant once, time it at each number of rows."""
    rng, (inner, outer) = np.random.default_rng(0), SHAPES[shape]
    drawn = [rng.standard_normal(size) / np.sqrt(size[1]) for size in ((outer, inner), (inner, outer))]
    pairs = max(1, round(INT8_BYTES / (2 * inner * outer)))
    opened = {v.name: stack(v, drawn, pairs, folder / str(i)) for i, v in enumerate(variants())}
    for v in variants():
        verify(v, drawn, folder / "one", rng)
    clock, reader = Clock(folder), Reader(folder)
    for rows in ROWS:
        feed = rng.standard_normal((rows, inner)).astype(np.float32)
        seconds: dict[str, list[float]] = {name: [] for name in opened}
        ghz, bandwidth = [], []
        for _ in range(rounds):
            for name in rng.permutation(list(opened)):
                seconds[str(name)].append(least(opened[str(name)], feed) / (2 * pairs))
            ghz.append(clock.gigahertz())
            bandwidth.append(reader.bytes_a_second())
        case = f"{rows} rows, {shape}"
        add_rows(case, rows * inner * outer, inner * outer, seconds, max(ghz), max(bandwidth), record)
        record.samples[case] = {"seconds": seconds, "gigahertz": ghz, "bytes a second": bandwidth}


def stack(variant: Variant, drawn: list[np.ndarray], pairs: int, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Of ``pairs`` times both layers, each with a copy of its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    return (ours if variant.isa else theirs)(variant, drawn, pairs, folder)


def quantized(weight: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 halves [N, K / 2] and float32 scales [N, K / group]; 8 is zero."""
    n, k = weight.shape
    blocks = weight.reshape(n, k // group, group)
    scale = (np.abs(blocks).max(-1) / 7).astype(np.float32)
    halves = (np.clip(np.rint(blocks / scale[..., None]), -8, 7) + 8).astype(np.uint8).reshape(n, k)
    return halves[:, ::2] | halves[:, 1::2] << 4, scale


def ours(variant: Variant, drawn: list[np.ndarray], pairs: int, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The stack as a plan; rows quantized at run time."""
    tensors: dict[str, np.ndarray] = {}
    operators, values, at = [], 1, 0
    for layer in range(2 * pairs):
        weight = drawn[layer % 2]
        attributes: dict[str, object] = {"input": {"rows": 255}}
        if variant.group:
            held = dict(zip("ws", quantized(weight, variant.group), strict=True))
            attributes |= {"group": variant.group, "depth": weight.shape[1]}
        else:
            scale = (np.abs(weight).max(1) / 63).astype(np.float32)
            whole = np.rint(weight / scale[:, None]).astype(np.int8)
            held = {"w": whole, "s": scale}
            if variant.isa == "avx2" and (planned := plan_runs(whole, 255)) is not None:
                held |= {"o": planned.order, "r": planned.lengths}
        numbers = {name: values + i for i, name in enumerate(held)}
        values += len(held) + 1
        tensors |= {f"{name}{layer}": array for name, array in held.items()}
        inputs = [at, numbers["w"], numbers["s"], -1, -1, numbers.get("o", -1), numbers.get("r", -1)]
        at = values - 1
        operators.append(
            {"kind": "gemm_int4" if variant.group else "gemm_int8", "name": f"layer{layer}",
             "inputs": inputs if "o" in held else inputs[:3], "outputs": [at], "attributes": attributes,
             "constants": [{"value": number, "tensor": f"{name}{layer}"} for name, number in numbers.items()]}
        )  # fmt: skip
    plan = {
        "format": "speedwell-plan", "version": 1, "values": values,
        "inputs": [{"name": "a", "value": 0, "dtype": "float32", "shape": ["rows", drawn[0].shape[1]]}],
        "outputs": [{"name": "y", "value": at}],
        "constants": [constant for o in operators for constant in o.pop("constants")],  # type: ignore[attr-defined]
        "operators": operators,
    }  # fmt: skip
    write_plan(folder, plan, tensors)
    session = Session(folder, 1, variant.isa)
    return lambda feed: session.run([feed])[0]


def theirs(variant: Variant, drawn: list[np.ndarray], pairs: int, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The stack in ONNX Runtime."""
    nodes, weights = [], []
    for layer in range(2 * pairs):
        n, k = drawn[layer % 2].shape
        halves, scale = quantized(drawn[layer % 2], variant.group)
        blob = halves.reshape(n, k // variant.group, variant.group // 2)
        weights += [numpy_helper.from_array(blob, f"w{layer}"), numpy_helper.from_array(scale.reshape(-1), f"s{layer}")]
        nodes.append(
            helper.make_node(
                "MatMulNBits", [f"x{layer}", f"w{layer}", f"s{layer}"], [f"x{layer + 1}"], domain="com.microsoft",
                K=k, N=n, bits=4, block_size=variant.group, accuracy_level=4,
            )
        )  # fmt: skip
    inner = drawn[0].shape[1]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", inner]) for name in ("x0", f"x{2 * pairs}")]
    graph = helper.make_graph(nodes, "stack", ends[:1], ends[1:], weights)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    path = folder / "stack.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda feed: np.asarray(session.run(None, {"x0": feed})[0])


def verify(variant: Variant, drawn: list[np.ndarray], folder: Path, rng: np.random.Generator) -> None:
    """Raises ``ValueError`` unless both layers, quantized, are near what they are in float64."""
    feed = rng.standard_normal((7, drawn[0].shape[1])).astype(np.float32)
    want = feed.astype(np.float64) @ drawn[0].T @ drawn[1].T
    got = stack(variant, drawn, 1, folder)(feed).astype(np.float64)
    cosine = float((got * want).sum() / np.linalg.norm(got) / np.linalg.norm(want))
    if cosine < 0.98:
        raise ValueError(f"{variant.name}: cosine {cosine:.4f} to float64")


def least(run: Callable[[np.ndarray], np.ndarray], feed: np.ndarray) -> float:
    """Seconds of the fastest of several calls."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        run(feed)
        taken.append(time.perf_counter() - began)
    return min(taken)


class Reader:
    """What one core reads, of as much as the int8 weights are. Compiled into ``folder``."""

    def __init__(self, folder: Path) -> None:
        source, library = folder / "reader.cpp", folder / "reader.so"
        source.write_text(READER)
        subprocess.run([compiler(), "-O3", "-mavx2", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        self._total = ctypes.CDLL(str(library)).total
        self._total.argtypes, self._total.restype = [ctypes.c_void_p, ctypes.c_long], ctypes.c_long
        self._data = np.ones(int(INT8_BYTES), np.uint8)

    def bytes_a_second(self) -> float:
        """Over one pass, the fastest of several."""
        taken = []
        for _ in range(CALLS):
            began = time.perf_counter()
            self._total(self._data.ctypes.data, self._data.nbytes)
            taken.append(time.perf_counter() - began)
        return self._data.nbytes / min(taken)


def add_rows(
    case: str, products: int, weights: int, seconds: Mapping[str, list[float]], ghz: float, bandwidth: float,
    record: Record,
) -> None:  # fmt: skip
    """Each int4 over int8 on the same instruction set and over the peer, and every one over its limit."""
    every, best = variants(), supported_isas()[0]
    for v in every:
        mine = seconds[v.name]
        if v.isa:
            limit = max(weights * v.bits / 8 / bandwidth, products / (A_CYCLE[v.isa] * ghz * 1e9))
            note = f"{bandwidth / 1e9:.1f} GB/s, {ghz:.2f} GHz"
            value = 1e6 * min(mine)
            record.row(
                f"{case}, of the limit", f"us, {v.name}", value, "limit", 1e6 * limit, 1e6 * limit / value, note=note
            )
        if not v.group or not v.isa:
            continue
        others = [o for o in every if (o.isa == v.isa and not o.group) or (not o.isa and o.group == v.group)]
        where = case if v.isa == best and v.group == PEER.group else f"{case}, {v.name}"
        for other in others:
            found = paired_ratio(seconds[other.name], mine)
            record.row(
                where, f"us, {v.name}", 1e6 * min(mine), other.name, 1e6 * min(seconds[other.name]), *found, len(mine)
            )


if __name__ == "__main__":
    main()
