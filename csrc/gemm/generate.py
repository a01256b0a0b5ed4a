"""Write the AVX2 inner loops of runs: inline assembly, because compilers spill these by chance (a factor of two).

Called by the build: ``python generate.py OUT``. One function per number of rows, 1 to 6. The registers: 12 sums of
16-bit lanes (6 rows x 2 halves of a 16-column panel), the panel's two halves, one broadcast activation, one product.

    for each run:                                     limit: 53 products a cycle, for vpmaddubsw and
        sums = the run's lane constants, or zero      vpaddw share the two multiply ports
        for each quad: sums += u8 x s8 pairs          (2 instructions for 32 products)
        c += sums, widened                            (3 instructions, once per run)
"""

from __future__ import annotations

import sys
from pathlib import Path

ROWS = 6
HALVES = 2
LEFT, RIGHT, BROADCAST, PRODUCT = 12, 13, 14, 15
ONES = LEFT  # while sums are widened, no weights are held


def accumulator(row: int, half: int) -> str:
    """Register of 16 sums of 16 bits."""
    return f"%%ymm{HALVES * row + half}"


def activation(row: int) -> str:
    """Address of a row's four activations: rows 0 to 2 from ``near``, 3 to 5 from ``far`` = near + 3 lda."""
    base = "%[near]" if row < 3 else "%[far]"
    return {0: f"({base})", 1: f"({base},%[lda])", 2: f"({base},%[lda],2)"}[row % 3]


def body(rows: int) -> list[str]:
    """The instructions of one function."""
    lines = ["1:"]  # a run
    lines += ["test %[centred], %[centred]", "jz 2f"]
    lines += [f"vmovdqu (%[b]), %%ymm{LEFT}", f"vmovdqu 32(%[b]), %%ymm{RIGHT}", "add $64, %[b]"]
    lines += [f"vmovdqa %%ymm{(LEFT, RIGHT)[h]}, {accumulator(r, h)}" for r in range(rows) for h in range(HALVES)]
    lines += ["jmp 3f", "2:"]
    lines += [f"vpxor {a}, {a}, {a}" for r in range(rows) for h in range(HALVES) for a in (accumulator(r, h),)]
    lines += ["3:", "mov %[length], %[left]", "4:"]  # a quad
    lines += ["movslq (%[offsets]), %[near]", "add $4, %[offsets]"]
    if rows > 3:
        lines += ["mov %[a3], %[far]", "add %[near], %[far]"]
    lines += ["add %[a], %[near]"]
    lines += [f"vmovdqu (%[b]), %%ymm{LEFT}", f"vmovdqu 32(%[b]), %%ymm{RIGHT}", "add $64, %[b]"]
    for row in range(rows):
        lines += [f"vpbroadcastd {activation(row)}, %%ymm{BROADCAST}"]
        lines += [f"vpmaddubsw %%ymm{LEFT}, %%ymm{BROADCAST}, %%ymm{PRODUCT}"]
        lines += [f"vpmaddubsw %%ymm{RIGHT}, %%ymm{BROADCAST}, %%ymm{BROADCAST}"]
        lines += [f"vpaddw %%ymm{PRODUCT}, {accumulator(row, 0)}, {accumulator(row, 0)}"]
        lines += [f"vpaddw %%ymm{BROADCAST}, {accumulator(row, 1)}, {accumulator(row, 1)}"]
    lines += ["dec %[left]", "jnz 4b"]
    lines += [f"vpcmpeqw %%ymm{ONES}, %%ymm{ONES}, %%ymm{ONES}", f"vpsrlw $15, %%ymm{ONES}, %%ymm{ONES}"]
    lines += ["mov %[c], %[near]"]
    for row in range(rows):
        for half in range(HALVES):
            sums, at = accumulator(row, half), f"{32 * half}(%[near])"
            lines += [f"vpmaddwd %%ymm{ONES}, {sums}, {sums}", f"vpaddd {at}, {sums}, {sums}", f"vmovdqu {sums}, {at}"]
        if row + 1 < rows:
            lines += ["add %[ldc], %[near]"]
    lines += ["dec %[runs]", "jnz 1b"]
    return lines


def function(rows: int) -> str:
    """C++ around the body. ``b`` and ``offsets`` come back behind what was read."""
    code = "\n".join(f'      "{line}\\n\\t"' for line in body(rows))
    registers = ", ".join(f'"ymm{i}"' for i in range(16))
    return f"""
inline void add_runs_{rows}(
    const uint8_t* a, int64_t lda, const int8_t*& b, const int32_t*& offsets, int64_t runs, int64_t length,
    int64_t centred, int32_t* c, int64_t ldc) {{
  const uint8_t *near, *far, *a3 = a + 3 * lda;
  int64_t left;
  asm volatile(
{code}
      : [b] "+r"(b), [offsets] "+r"(offsets), [runs] "+r"(runs), [near] "=&r"(near), [far] "=&r"(far),
        [left] "=&r"(left)
      : [a] "r"(a), [a3] "m"(a3), [lda] "r"(lda), [length] "m"(length), [centred] "r"(centred), [c] "r"(c),
        [ldc] "m"(ldc)
      : "cc", "memory", {registers});
}}
"""


def text() -> str:
    """The whole file."""
    head = "// Written by csrc/gemm/generate.py: read that instead.\n"
    table = ", ".join(f"add_runs_{rows}" for rows in range(1, ROWS + 1))
    tail = f"\nconstexpr decltype(&add_runs_1) kAddRuns[] = {{{table}}};\n"
    return head + "".join(function(rows) for rows in range(1, ROWS + 1)) + tail


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text())
