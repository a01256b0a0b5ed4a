"""Write the AVX2 inner loops of products with weights of 4 bits: inline assembly, for generate.py's reason.

Called by the build: ``python generate_int4.py OUT``. One function per number of rows, 1 to 6, each for one group of one
panel. The registers are generate.py's: 12 sums of 16-bit lanes (6 rows x 2 halves of a 16-column panel), the panel's
two halves, one broadcast activation, one product.

    for each run of up to 8 quads:                       limit: 53 products a cycle, as for int8, less what
        sums = -32,768 in every lane                     unpacking takes: 5 instructions a quad for all rows
        for each two quads of bytes:
            sums += u8 x low half, then u8 x high half   (2 instructions for 32 products)
        sums, widened, += totals                         (2 instructions, once per run)
    c += scale * sums                                    (3 instructions, once per group)
"""

from __future__ import annotations

import sys
from pathlib import Path

ROWS = 6
HALVES = 2
LEFT, RIGHT, BROADCAST, PRODUCT = 12, 13, 14, 15
ONES = BROADCAST  # while sums are widened, no activation is held


def accumulator(row: int, half: int) -> str:
    """Register of 16 sums of 16 bits."""
    return f"%%ymm{HALVES * row + half}"


def activation(row: int, odd: int) -> str:
    """Address of a row's four activations: rows 0 to 2 from ``near``, 3 to 5 from ``far`` = near + 3 lda."""
    base = "%[near]" if row < 3 else "%[far]"
    at = {0: f"({base})", 1: f"({base},%[lda])", 2: f"({base},%[lda],2)"}[row % 3]
    return f"{4 * odd or ''}{at}"


def quad(rows: int, odd: int) -> list[str]:
    """The low half of the panel's bytes (``odd`` 0), or the high one, times every row's activations."""
    lines = [f"vmovdqu (%[b]), %%ymm{LEFT}", f"vmovdqu 32(%[b]), %%ymm{RIGHT}"]
    for register in (LEFT, RIGHT):
        name = f"%%ymm{register}"
        lines += [f"vpsrlw $4, {name}, {name}"] * odd + [f"vpand %[low], {name}, {name}"]
    for row in range(rows):
        lines += [f"vpbroadcastd {activation(row, odd)}, %%ymm{BROADCAST}"]
        lines += [f"vpmaddubsw %%ymm{LEFT}, %%ymm{BROADCAST}, %%ymm{PRODUCT}"]
        lines += [f"vpmaddubsw %%ymm{RIGHT}, %%ymm{BROADCAST}, %%ymm{BROADCAST}"]
        lines += [f"vpaddw %%ymm{PRODUCT}, {accumulator(row, 0)}, {accumulator(row, 0)}"]
        lines += [f"vpaddw %%ymm{BROADCAST}, {accumulator(row, 1)}, {accumulator(row, 1)}"]
    return lines


def body(rows: int) -> list[str]:
    """The instructions of one function."""
    each = [(accumulator(r, h), f"{64 * r + 32 * h}(%[totals])") for r in range(rows) for h in range(HALVES)]
    first = each[0][0]
    lines = ["1:", f"vpcmpeqw {first}, {first}, {first}", f"vpsllw $15, {first}, {first}"]  # a run
    lines += [f"vmovdqa {first}, {sums}" for sums, _ in each[1:]]
    lines += ["mov %[pairs], %[left]", "2:", *quad(rows, 0), *quad(rows, 1)]
    lines += ["add $64, %[b]", "add $8, %[near]", *["add $8, %[far]"] * (rows > 3), "dec %[left]", "jnz 2b"]
    lines += [f"vpcmpeqw %%ymm{ONES}, %%ymm{ONES}, %%ymm{ONES}", f"vpsrlw $15, %%ymm{ONES}, %%ymm{ONES}"]
    for sums, total in each:
        lines += [f"vpmaddwd %%ymm{ONES}, {sums}, {sums}", f"vpaddd {total}, {sums}, {sums}"]
    lines += ["dec %[runs]", "jz 3f", *[f"vmovdqu {sums}, {total}" for sums, total in each], "jmp 1b", "3:"]
    lines += ["mov %[scale], %[left]", f"vmovups (%[left]), %%ymm{LEFT}", f"vmovups 32(%[left]), %%ymm{RIGHT}"]
    for row in range(rows):
        for half in range(HALVES):
            sums, at = accumulator(row, half), f"{32 * half}(%[c])"
            lines += [f"vcvtdq2ps {sums}, {sums}", f"vfmadd213ps {at}, %%ymm{(LEFT, RIGHT)[half]}, {sums}"]
            lines += [f"vmovups {sums}, {at}"]
        if row + 1 < rows:
            lines += ["add %[ldc], %[c]"]
    return lines


def function(rows: int) -> str:
    """C++ around the body."""
    code = "\n".join(f'      "{line}\\n\\t"' for line in body(rows))
    registers = ", ".join(f'"ymm{i}"' for i in range(16))
    return f"""
inline void add_group_{rows}(const uint8_t* a, int64_t lda, const uint8_t* b, int64_t runs, int64_t pairs,
                        int32_t* totals, const float* scale, float* c, int64_t ldc) {{
  const uint8_t *near = a, *far = a + 3 * lda;
  int64_t left;
  asm volatile(
{code}
      : [b] "+r"(b), [runs] "+r"(runs), [near] "+r"(near), [far] "+r"(far), [c] "+r"(c), [left] "=&r"(left)
      : [lda] "r"(lda), [pairs] "m"(pairs), [totals] "r"(totals), [scale] "m"(scale), [ldc] "m"(ldc),
        [low] "m"(kLowHalves)
      : "cc", "memory", {registers});
}}
"""


def text() -> str:
    """The whole file."""
    head = "// Written by csrc/gemm/generate_int4.py: read that instead.\n"
    fifteens = ", ".join(["15"] * 32)
    head += f"\nalignas(32) constexpr uint8_t kLowHalves[32] = {{{fifteens}}};\n"
    table = ", ".join(f"add_group_{rows}" for rows in range(1, ROWS + 1))
    tail = f"\nconstexpr decltype(&add_group_1) kAddGroup[] = {{{table}}};\n"
    return head + "".join(function(rows) for rows in range(1, ROWS + 1)) + tail


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text())
