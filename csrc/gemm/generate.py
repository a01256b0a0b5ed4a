"""Write the AVX2 inner loops of runs: inline assembly, because compilers spill these by chance (a factor of two).

Called by the build: ``python generate.py OUT``. One function per number of rows, 1 to 3. The vector registers: 6 sums
of 16-bit lanes (3 rows x 2 halves of a 16-column panel), 6 of 32 bits, the panel's two halves, one broadcast
activation, one product.

    for each run:
        sums16 = u8 x s8 pairs of the first quad, or, where the run is centred, its lane constants
        for each quad that is left: sums16 += u8 x s8 pairs     (2 instructions for 32 products)
        sums32 += sums16, widened                               (2 instructions, once a run)

The quads that are left are ``CHAIN`` copies of one quad's code, entered so that as many are done as the run has left:
no counting between quads, no address arithmetic but the load of one offset, which comes a quad early.

Three rows and not six: then both kinds of sums stay in registers. With six, the 32-bit sums are read from memory and
written back in every run, and runs of mixed lengths cost more.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROWS = 3
HALVES = 2
CHAIN = 16
CENTRED = 32
LEFT, RIGHT, BROADCAST, PRODUCT = 12, 13, 14, 15
ONES = LEFT  # while sums are widened, no weights are held

# A run in the stream: its length, plus CENTRED where 64 bytes of lane constants stand before its weights; then for each
# quad where its activations are in a row. Behind the last run one more number is read for nothing.
FIELDS = ("a", "lda", "b", "stream", "runs", "start", "c", "ldc", "ones", "ahead")
"""Of the ``RunCall`` that %rdi points to, eight bytes each."""
A_ROW = ("%%r8", "%%r9", "%%r10")
NEAR = ("%%rax", "%%rcx")
"""Offset of a quad's activations: in the first where an even number is left, so that the next is loaded meanwhile."""
TABLE, B, STREAM, HEADER, TARGET, RUNS, C = "%%rbx", "%%rdx", "%%rsi", "%%r11", "%%r12", "%%r13", "%%r14"
AHEAD = "%%r15"  # the next line to fetch into L2, one a run: a burst would keep the loads behind it waiting


def field(name: str) -> str:
    """Its address."""
    return f"{8 * FIELDS.index(name)}(%%rdi)"


def narrow(row: int, half: int) -> str:
    """Register of 16 sums of 16 bits."""
    return f"%%ymm{HALVES * row + half}"


def wide(row: int, half: int) -> str:
    """Register of 8 sums of 32 bits."""
    return f"%%ymm{HALVES * (ROWS + row) + half}"


def weights(at: int) -> list[str]:
    """Both halves of a panel's quad, ``at`` bytes from where ``B`` points."""
    return [f"vmovdqa {at}({B}), %%ymm{LEFT}", f"vmovdqa {at + 32}({B}), %%ymm{RIGHT}"]


def broadcast(row: int, near: str) -> str:
    """A row's four activations at an offset."""
    return f"vpbroadcastd ({A_ROW[row]},{near}), %%ymm{BROADCAST}"


def first_quad(rows: int) -> list[str]:
    """Its products are the sums."""
    lines = [f"movslq 4({STREAM}), {NEAR[0]}", *weights(0)]
    for row in range(rows):
        lines += [broadcast(row, NEAR[0])]
        lines += [f"vpmaddubsw %%ymm{LEFT}, %%ymm{BROADCAST}, {narrow(row, 0)}"]
        lines += [f"vpmaddubsw %%ymm{RIGHT}, %%ymm{BROADCAST}, {narrow(row, 1)}"]
    return lines


def later_quad(rows: int, left: int) -> list[str]:
    """The one after which ``left - 1`` are left of the chain; ``B`` and ``STREAM`` point behind the last of them."""
    lines = [f"movslq {-4 * (left - 1)}({STREAM}), {NEAR[(left - 1) % 2]}"] if left > 1 else []
    lines += weights(-64 * left)
    for row in range(rows):
        lines += [broadcast(row, NEAR[left % 2])]
        lines += [f"vpmaddubsw %%ymm{LEFT}, %%ymm{BROADCAST}, %%ymm{PRODUCT}"]
        lines += [f"vpmaddubsw %%ymm{RIGHT}, %%ymm{BROADCAST}, %%ymm{BROADCAST}"]
        lines += [f"vpaddw %%ymm{PRODUCT}, {narrow(row, 0)}, {narrow(row, 0)}"]
        lines += [f"vpaddw %%ymm{BROADCAST}, {narrow(row, 1)}, {narrow(row, 1)}"]
    return lines


def into_chain(begun: int) -> list[str]:
    """Both offsets that the chain may begin with, then into it, after ``begun`` quads of the run."""
    lines = [f"movslq {4 + 4 * begun}({STREAM}), {near}" for near in NEAR]
    lines += [f"movslq {-4 * begun}({TABLE},{HEADER},4), {TARGET}", f"add {TABLE}, {TARGET}"]
    lines += [f"lea 4({STREAM},{HEADER},4), {STREAM}", f"shl $6, {HEADER}", f"add {HEADER}, {B}"]
    return [*lines, f"jmp *{TARGET}"]


def body(rows: int) -> list[str]:
    """The instructions of one function. Labels from 100 on are the chain: 100 + quads left."""
    sums = [(row, half) for row in range(rows) for half in range(HALVES)]
    lines = [f"mov {field('a')}, {A_ROW[0]}", f"mov {field('lda')}, {NEAR[0]}"]
    lines += [f"lea ({A_ROW[0]},{NEAR[0]},{row}), {A_ROW[row]}" for row in range(1, rows)]
    lines += [f"mov {field('start')}, {C}"]
    lines += [f"vmovdqu {32 * half}({C}), {wide(row, half)}" for row, half in sums]
    names = (("b", B), ("stream", STREAM), ("runs", RUNS), ("c", C), ("ahead", AHEAD))
    lines += [f"mov {field(name)}, {register}" for name, register in names]
    lines += [f"lea 9f(%%rip), {TABLE}"]
    lines += ["1:", f"prefetcht1 ({AHEAD})", f"add $64, {AHEAD}"]
    lines += [f"movslq ({STREAM}), {HEADER}", f"cmp ${CENTRED}, {HEADER}", "jae 2f"]  # a run
    lines += [*first_quad(rows), *into_chain(1), "2:", *weights(0)]
    lines += [f"vmovdqa %%ymm{(LEFT, RIGHT)[half]}, {narrow(row, half)}" for row, half in sums]
    lines += [f"sub ${CENTRED}, {HEADER}", f"add $64, {B}", *into_chain(0)]
    for left in range(CHAIN, 0, -1):
        lines += [f"{100 + left}:", *later_quad(rows, left)]
    lines += ["100:", f"vpbroadcastd {field('ones')}, %%ymm{ONES}"]
    for row, half in sums:
        lines += [f"vpmaddwd %%ymm{ONES}, {narrow(row, half)}, {narrow(row, half)}"]
        lines += [f"vpaddd {narrow(row, half)}, {wide(row, half)}, {wide(row, half)}"]
    lines += [f"dec {RUNS}", "jnz 1b", f"mov {field('ldc')}, {NEAR[0]}"]
    for row in range(rows):
        lines += [f"vmovdqu {wide(row, half)}, {32 * half}({C})" for half in range(HALVES)]
        lines += [f"add {NEAR[0]}, {C}"]
    return [*lines, "jmp 8f", "9:", *(f".long {100 + left}b - 9b" for left in range(CHAIN + 1)), "8:"]


def function(rows: int) -> str:
    """C++ around the body."""
    code = "\n".join(f'      "{line}\\n\\t"' for line in body(rows))
    used = [name.strip("%") for name in (*A_ROW, *NEAR, TABLE, B, STREAM, HEADER, TARGET, RUNS, C, AHEAD)]
    registers = ", ".join(f'"{name}"' for name in (*used, *(f"ymm{i}" for i in range(16))))
    return f"""
inline void add_runs_{rows}(const RunCall* call) {{
  asm volatile(
{code}
      : : "D"(call) : "cc", "memory", {registers});
}}
"""


def text() -> str:
    """The whole file."""
    head = "// Written by csrc/gemm/generate.py: read that instead.\n"
    kinds = {"a": "const uint8_t*", "b": "const int8_t*", "stream": "const int32_t*", "start": "const int32_t*",
             "c": "int32_t*", "ahead": "const char*"}  # fmt: skip
    members = "\n".join(f"  {kinds.get(name, 'int64_t')} {name};" for name in FIELDS)
    table = ", ".join(f"add_runs_{rows}" for rows in range(1, ROWS + 1))
    limits = f"\nstatic_assert(kLongestRun == {CHAIN} && kCentredRun == {CENTRED} && kRunRows == {ROWS});\n"
    tail = f"\nconstexpr void (*kAddRuns[])(const RunCall*) = {{{table}}};\n"
    struct = f"\nstruct RunCall {{\n{members}\n}};\n"
    return head + limits + struct + "".join(function(rows) for rows in range(1, ROWS + 1)) + tail


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text())
