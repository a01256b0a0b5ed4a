"""An explained plan for a terminal: 80 columns, no colour, nothing that a pipe would spoil."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from .binding import Operand
from .calibration import LONG_RUN, ROWS, WIDTH

if TYPE_CHECKING:
    from .explanation import ExplainedOperator, ExplainedProduct, Explanation

__all__ = ["explained_text"]

COLUMNS = 80
SHORT = {"float32": "f32", "uint8": "u8", "int8": "s8", "int32": "s32", "int64": "s64"}
BUCKETS = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (7, 8), (9, 12), (13, 16), (17, 24), (25, 32), (33, 1 << 31))
BAR = 40


def explained_text(e: Explanation) -> str:
    """Head, operators, time by kind, T by layer, and how the estimates were made."""
    parts = [_head(e), _operators(e), _by_kind(e.operators)]
    if e.products:
        parts += [_layers(e), _histogram(e.run_shares)]
    return "\n\n".join([*parts, _foot(e)])


def _head(e: Explanation) -> str:
    lowered = "" if e.lowered_seconds is None else f", lowered in {e.lowered_seconds:.2f} s"
    inputs = ", ".join(f"{name} {_shape(shape)}" for name, shape in e.shapes.items())
    if e.chosen:
        first = next(iter(e.shapes))
        inputs += f" ({', '.join(f'{n} = {v}' for n, v in e.chosen.items())} chosen here; say others with"
        inputs += f" --shape {first}={_shape(e.shapes[first])})"
    rows = [
        ("Plan", e.source + lowered),
        ("Inputs", inputs or "none"),
        ("Runs on", f"{e.isa}, {e.threads} thread{'s' * (e.threads != 1)}"),
        ("Memory", f"weights {_long(e.weight_bytes)}, arena {_long(e.arena_bytes)}"),
        *(("Note", note) for note in e.notes),
    ]
    return "\n".join(
        textwrap.fill(what, COLUMNS, initial_indent=f"{name:<9}", subsequent_indent=" " * 9, break_on_hyphens=False)
        for name, what in rows
    )


def _operators(e: Explanation) -> str:
    lines = [
        "  # operator     output              T weight   read  wrote     at   est.  meas.",
        "                                        bytes  bytes  bytes  arena     us     us",
    ]
    for number, o in enumerate(e.operators):
        outputs = [made for made in o.outputs if made is not None]
        run = "-" if o.mean_run is None else f"{o.mean_run:.1f}"
        lines.append(
            f"{number:>3} {_cut(o.kind, 12):<12} {_output(outputs):<16} {run:>4} {_bytes(o.weight_bytes):>6}"
            f" {_bytes(o.read_bytes):>6} {_bytes(o.written_bytes):>6} {_at(outputs):>6} {_time(o.estimated):>6}"
            f" {_time(o.measured):>6}"
        )
        lines += [f"{'and':>16} {_output([more]):<16} {_at([more]):>32}" for more in outputs[1:]]
        lines.append(_name(o))
    estimated, measured = sum(o.estimated for o in e.operators), sum(o.measured for o in e.operators)
    weights = sum(o.weight_bytes for o in e.operators)
    lines.append(f"    {'all':<29} {'':>4} {_bytes(weights):>6} {'':>20} {_time(estimated):>6} {_time(measured):>6}")
    if e.bound:
        lines.append(
            f"    {e.bound} more cost nothing in a run: computed once from shapes and constants, or"
            "\n    another shape of bytes that are there."
        )
    return "\n".join(lines)


def _name(o: ExplainedOperator) -> str:
    """The operator's own name, cut in front (names differ at their end), and the activations that it reads."""
    read = list({(x.home, x.at): x for x in o.inputs if x is not None and x.home != "fixed"}.values())
    inputs = ", ".join(f"{_dtype(x)} {_shape(x.shape)}" for x in read[:3]) + (", ..." if len(read) > 3 else "")
    inputs = f" <- {inputs}" if inputs else ""
    room = COLUMNS - 4 - len(inputs)
    name = o.name if len(o.name) <= room else "..." + o.name[len(o.name) - room + 3 :] if room > 12 else ""
    return _cut(f"    {name}{inputs}", COLUMNS)


def _by_kind(operators: Iterable[ExplainedOperator]) -> str:
    count: dict[str, int] = {}
    estimated: dict[str, float] = {}
    measured: dict[str, float] = {}
    for o in operators:
        count[o.kind] = count.get(o.kind, 0) + 1
        estimated[o.kind] = estimated.get(o.kind, 0.0) + o.estimated
        measured[o.kind] = measured.get(o.kind, 0.0) + o.measured
    whole = sum(measured.values()) or 1.0
    lines = ["Time by kind          count   est. us  meas. us   share"]
    for kind in sorted(measured, key=lambda k: -measured[k]):
        share = measured[kind] / whole
        lines.append(
            f"  {_cut(kind, 18):<18} {count[kind]:>6} {_time(estimated[kind]):>9} {_time(measured[kind]):>9}"
            f" {100 * share:>5.1f} % {_bar(share, 24)}".rstrip()
        )
    return "\n".join(lines)


def _layers(e: Explanation) -> str:
    """T of each int8 product."""
    whole = sum(p.multiply_adds for p in e.products) or 1
    use = "as here" if e.widens else f"on AVX2, not on {e.isa}"
    lines = [
        f"T by layer: quads added in 16 bits, then widened ({use})",
        f"  {'layer':<40} {'rows x columns x depth':>23}     T  share",
    ]
    return "\n".join([*lines, *(_layer(p, whole) for p in e.products)])


def _layer(p: ExplainedProduct, whole: int) -> str:
    name = p.widening.name if len(p.widening.name) <= 40 else "..." + p.widening.name[-37:]
    size = f"{p.rows} x {p.widening.columns} x {p.widening.depth}"
    return f"  {name:<40} {size:>23} {p.widening.mean:>5.1f} {100 * p.multiply_adds / whole:>4.1f} %"


def _histogram(shares: Mapping[int, float]) -> str:
    lines = ["Share of the int8 multiply-adds by T"]
    for low, high in BUCKETS:
        share = sum(s for length, s in shares.items() if low <= length <= high)
        if share:
            name = f"{low}" if low == high else f"{low} to {high}" if high < 1 << 31 else f"{low} and more"
            lines.append(f"  {name:<10} {100 * share:>5.1f} % {_bar(share, BAR)}".rstrip())
    return "\n".join(lines)


def _foot(e: Explanation) -> str:
    rates, said = e.rates, []
    size = f"{ROWS} x {WIDTH} x {WIDTH}"
    if rates.int8:
        at = f" at T = 1 and {rates.int8_long / 1e9:.0f} at T = {LONG_RUN}" if e.widens else ""
        said.append(f"an int8 product of {size} at {rates.int8 / 1e9:.0f} GMAC/s{at}")
    if rates.float32:
        said.append(f"a float32 product of {size} at {rates.float32 / 1e9:.0f} GMAC/s")
    if rates.attention:
        said.append(f"an attention of the plan's largest size at {rates.attention / 1e9:.0f} GMAC/s")
    said.append(
        f"a sum of two arrays, {_long(rates.weights.bytes)} in all for weights (those in use and the arena, 1 to 64 MB)"
        f" at {rates.weights.bandwidth / 1e9:.0f} GB/s, {_long(rates.activations.bytes)} for activations (the arena) at"
        f" {rates.activations.bandwidth / 1e9:.0f} GB/s"
    )
    notes = [
        "est.: the larger of multiply-adds over rate and bytes over bandwidth. Only products and attention"
        " count by multiply-adds, all else by bytes alone.",
        f"Calibrated just now with these kernels and threads, the best of many runs: {'; '.join(said)}.",
        f"meas.: the executor's clock, each operator's best of {e.runs} runs on generated inputs.",
    ]
    return "\n".join(textwrap.fill(note, COLUMNS, break_on_hyphens=False) for note in notes)


def _dtype(operand: Operand) -> str:
    return SHORT.get(operand.dtype, operand.dtype)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _output(outputs: Sequence[Operand]) -> str:
    return _cut(f"{_dtype(outputs[0])} {_shape(outputs[0].shape)}", 16) if outputs else "-"


def _at(outputs: Sequence[Operand]) -> str:
    """Offset in the arena; the name of another home."""
    if not outputs:
        return "-"
    return _bytes(outputs[0].at) if outputs[0].home == "arena" else outputs[0].home


def _bytes(count: int) -> str:
    """At most six characters."""
    scaled, units = float(count), ["", "k", "M", "G", "T"]
    while scaled >= 999.95 and len(units) > 1:
        scaled, units = scaled / 1000, units[1:]
    return f"{scaled:.1f}{units[0]}" if units[0] else str(count)


def _long(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _time(seconds: float) -> str:
    """Microseconds, in at most six characters; seconds, with their unit, from a tenth of one on."""
    us = seconds * 1e6
    return f"{us:.1f}" if us < 999.95 else f"{us:,.0f}" if us < 99_999.5 else f"{seconds:.1f}s"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "~"


def _bar(share: float, room: int) -> str:
    return "#" * round(share * room)
