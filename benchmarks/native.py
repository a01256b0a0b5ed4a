"""F1: our native engine against ONNX Runtime, OpenVINO, TorchInductor and PyTorch on transformer networks.

Compared, for each network, batch and number of threads: the native engine (static int8, the same with activations of
7 bits where weights have 7, dynamic int8 with a scale for each row, float32) and the peers at their best documented
settings (native_runners.py). Two groups of rows: "same graph" (the peer runs the very ONNX file that ours is lowered
from: exported and quantized by our own passes) and "each its own recipe" (ONNX Runtime's transformer optimizer and its
``quantize_dynamic``, torch's ``quantize_dynamic``, inductor with frozen weights, eager with fused attention). A case's
ratio is that of the fastest peer over our static int8; a peer that fails keeps its row. Each round opens every
contender in a fresh process, in random order; one sleeps while another is timed. Before the rounds each answers 8
samples, which are compared with the unoptimized float32 graph.

MiniLM is trained; the other networks are drawn at random, normal per channel, and say so. All sessions of a round are
open at once: BERT-base needs about 8 GB. Everything takes hours; the headline alone:

    python benchmarks/native.py --cases minilm-128,deit-tiny --settings 1x2 \
        --texts ../shared/data/text/clinc150/data_full.json.gz

``--max-isa avx2`` shows on a machine with AVX-512, VNNI or AMX what one without would do: every contender runs in a
process whose CPU says that it has AVX2 alone (masked_cpu.py), so every library chooses as it would there. Where CPUID
cannot be masked, ours runs ``isa`` avx2, OpenVINO and torch are held by environment variables (native_contenders.HELD),
and ONNX Runtime, which has no such switch, is not; the rows say so.
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from masked_cpu import MaskError, masked
from native_checks import Contest, check, opener
from native_contenders import HELD, MARCH, MASKED, ours, peers
from native_inputs import source
from native_networks import HEADLINE, NETWORKS, Setting
from native_products import Maker
from native_rows import network_rows, speed_rows
from record import Record, parser
from speedwell.measure import Rounds, run_rounds, with_control
from speedwell.native import supported_isas
from speedwell.workflow.trial import turns

SECONDS_A_SIDE = 2.0
"""What the timed calls of one contender may take in a round; they are 20, and 5 at least."""
SETTINGS = "1x2,1x1,8x2,8x1"


def main() -> None:
    arguments = arguments_of(parser(__doc__))
    isas, settings = chosen_isas(arguments), chosen_settings(arguments)
    headline = [s.case for s in settings if s.case in HEADLINE]
    record = Record("native", headline, arguments.quick)
    with tempfile.TemporaryDirectory(prefix="speedwell-native-") as name:
        scratch = Path(name)
        held, how = holding(scratch / "mask") if arguments.max_isa else ({}, "")
        maker = Maker(arguments.cache or scratch / "kept", scratch / "plans", arguments.texts, bits(isas), held)
        seen: set[str] = set()
        for setting in settings:
            first = setting.network.name not in seen
            seen.add(setting.network.name)
            one_setting(setting, record, maker, isas, arguments, scratch, first, how)
    record.finish(arguments.json)


def arguments_of(made: ArgumentParser) -> Namespace:
    made.add_argument("--cases", help=f"of {', '.join(NETWORKS)} (default: all; --quick: {', '.join(HEADLINE)})")
    made.add_argument("--settings", help=f"batch x threads (default: {SETTINGS}; --quick: 1x2)")
    made.add_argument("--isa", help="of ours, several with commas, the first in the headline (default: the CPU's best)")
    made.add_argument("--max-isa", choices=["avx2"], help="hold ours and the peers to AVX2")
    made.add_argument("--texts", type=Path, help="CLINC150's data_full.json[.gz], or a file with one text a line")
    made.add_argument(
        "--cache", type=Path, help="keep graphs and compiled code in this folder (default: a temporary one)"
    )
    made.add_argument("--with-load", action="store_true", help="ours also on minilm-128 beside a process on one core")
    made.add_argument("--rounds", type=int, help="other than 12 (--quick: 4); makes no claim")
    made.add_argument("--calls", type=int, default=20, help="timed calls in a round, at most (default 20)")
    return made.parse_args()


def chosen_isas(arguments: Namespace) -> list[str]:
    """Raises ``SystemExit`` with the reason where this CPU or this build does not have one."""
    there = supported_isas()
    isas = arguments.isa.split(",") if arguments.isa else [arguments.max_isa or there[0]] if there else []
    if missing := [isa for isa in isas if isa not in there] or ([] if isas else ["any"]):
        raise SystemExit(f"the native engine has no {', '.join(missing)} here; it has {', '.join(there) or 'none'}")
    if arguments.max_isa and isas != [arguments.max_isa]:
        raise SystemExit(f"--max-isa {arguments.max_isa} is for ours as well: leave --isa out")
    return isas


def chosen_settings(arguments: Namespace) -> list[Setting]:
    names = (arguments.cases or ",".join(HEADLINE if arguments.quick else NETWORKS)).split(",")
    if unknown := [n for n in names if n not in NETWORKS]:
        raise SystemExit(f"no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    pairs = (arguments.settings or ("1x2" if arguments.quick else SETTINGS)).split(",")
    sizes = [tuple(int(n) for n in pair.split("x")) for pair in pairs]
    return [Setting(NETWORKS[name], batch, threads) for name in names for batch, threads in sizes]


def holding(folder: Path) -> tuple[Mapping[str, str], str]:
    """The environment in which contenders keep to AVX2, and how that is done."""
    try:
        return {**masked(folder), MARCH: HELD[MARCH]}, MASKED  # what gcc makes of -march=native behind a mask is odd
    except MaskError as error:
        print(f"CPUID is not masked, so peers are held by variables: {error}", flush=True)
        return HELD, "variables"


def bits(isas: Sequence[str]) -> int:
    """Of the weights: 8 where every kernel of ours that is timed has a dot product, else 7."""
    return 8 if all("vnni" in isa or "dot" in isa for isa in isas) else 7


def one_setting(
    setting: Setting,
    record: Record,
    maker: Maker,
    isas: Sequence[str],
    arguments: Namespace,
    scratch: Path,
    first: bool,
    how: str,
) -> None:
    """Make what is opened, check every contender, time all in shared rounds, add the rows."""
    quick, held = arguments.quick, bool(how)
    busy = arguments.with_load and setting.case == "minilm-128"
    half = record.machine.has_bf16 and not held
    contenders = (*ours(isas, busy, maker.narrow), *peers(setting.network, quick, half))
    print(f"{setting.case}: {len(contenders)} contenders", flush=True)
    products = maker.products(setting, frozenset(c.runner for c in contenders))
    contest = Contest(contenders, products, setting.threads, maker.environment, scratch / "workers")
    check(contest)
    for name, why in contest.failed.items():
        print(f"{name}: {why}", flush=True)
    taken = timed(contest, arguments.rounds or (4 if quick else 12), arguments.calls)
    for name, failure in taken.failures.items():
        contest.failed.setdefault(name, f"failed while timed: {failure.message}")
    words = f"{setting.network.note}; {source(setting.network, arguments.texts)}"
    speed_rows(setting, record, contest, taken, words, how)
    if first:
        network_rows(setting, record, contest, taken)
    record.samples[setting.case] = {
        "rounds": [dict(r[0]) for r in taken.rounds], "memory": dict(taken.memory), "failed": contest.failed,
        "checked": {name: asdict(c) for name, c in contest.checked.items()}, "lowering": products.lowering,
    }  # fmt: skip


def timed(contest: Contest, rounds: int, calls: int) -> Rounds:
    """All that passed the check in shared rounds, our first contender twice (the control)."""
    alive = [c for c in contest.contenders if c.name in contest.checked]
    if not alive:
        return Rounds(())
    openers = {c.name: opener(contest, c) for c in alive}
    first = contest.contenders[0].name
    slowest = max(contest.checked[c.name].seconds for c in alive)
    block, settle = turns(contest.checked[alive[0].name].seconds)
    calls = max(min(5, calls), min(calls, int(SECONDS_A_SIDE / slowest)))
    return run_rounds(
        with_control(openers, first) if first in openers else openers, rounds, calls, np.random.default_rng(0),
        lambda n: print(f"round {n} of {rounds}: {len(openers) + 1} sessions", flush=True), block=block, settle=settle,
    )  # fmt: skip


if __name__ == "__main__":
    main()
