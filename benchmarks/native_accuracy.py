r"""Does our engine answer as well as ONNX Runtime does on the same quantized file? MiniLM, trained heads, real texts.

    python benchmarks/native_accuracy.py --set clinc150 data_full.json.gz data_full.json.gz minilm_head_clinc150.npz \
        --set banking77 train.csv.gz test.csv.gz minilm_head_banking77.npz

A set is a name, the file that calibration texts come from, the file with the texts that count, and the head. Each form
(static int8, dynamic int8) is made once for each width of weights, 8 bits for kernels with a dot product and 7 for the
others, and the file that comes out is answered by ONNX Runtime and by ours, text by text, without padding. A row is our
accuracy over its accuracy, with Tango's paired interval of the difference; the note counts the texts that only one of
them has right. Float32 stands beside. On an instruction set without a dot product the quantizer's further choices
(7-bit activations, weights that keep the bound) have rows of their own, with the mean length of the runs in quads.
"""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from labelled_texts import Arrays, read_texts, tokens
from record import Record, parser
from speedwell import passes, sources
from speedwell.core import Context, Hardware, Model, Step, Workload
from speedwell.measure import tango_interval
from speedwell.native import Session, lower, supported_isas

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "minilm_clinc.py"
CALIBRATION = 128
QUICK = 500
FORMS: Mapping[str, Step] = {"static": Step("quantize_static"), "dynamic": Step("quantize_dynamic")}
SUMS: Mapping[str, Step] = {
    f"{form}, {words}": Step(step.name, dict(params))
    for form, step in FORMS.items()
    for words, params in (("7-bit activations", {"activation_bits": 7}), ("weights for runs of 8", {"run": 8}))
}
Answers = np.ndarray


@dataclass(frozen=True)
class TextSet:
    """``samples`` and ``labels`` (class numbers) are what counts; ``known`` is for calibration."""

    name: str
    head: Path
    known: list[Arrays]
    samples: list[Arrays]
    labels: np.ndarray


def main() -> None:
    arguments = arguments_of(parser(__doc__))
    isas = chosen_isas(arguments)
    headline = [f"{name}, {form}" for name, *_ in arguments.set for form in FORMS]
    record = Record("native_accuracy", headline, arguments.quick)
    for name, train, test, head in arguments.set:
        found = text_set(name, Path(train), Path(test), Path(head), arguments.quick)
        with tempfile.TemporaryDirectory(prefix="speedwell-accuracy-") as folder:
            one_set(found, record, isas, arguments, Path(folder))
    record.finish(arguments.json)


def arguments_of(made: ArgumentParser) -> Namespace:
    made.add_argument(
        "--set", nargs=4, action="append", required=True, metavar=("NAME", "TRAIN", "TEST", "HEAD"),
        help="csv or json with texts and labels, for calibration and to count on; npz with weight, bias, classes",
    )  # fmt: skip
    made.add_argument("--isa", help="of ours, several with commas, the first in the headline (default: the CPU's best)")
    made.add_argument("--threads", type=int, default=2)
    return made.parse_args()


def chosen_isas(arguments: Namespace) -> list[str]:
    """Raises ``SystemExit`` with the reason where this CPU or this build does not have one."""
    there = supported_isas()
    isas = arguments.isa.split(",") if arguments.isa else list(there[:1])
    if missing := [isa for isa in isas if isa not in there] or ([] if isas else ["any"]):
        raise SystemExit(f"the native engine has no {', '.join(missing)} here; it has {', '.join(there) or 'none'}")
    return isas


def text_set(name: str, train: Path, test: Path, head: Path, quick: bool) -> TextSet:
    with np.load(head, allow_pickle=False) as file:
        numbers = {word: i for i, word in enumerate(file["classes"].tolist())}
    known, _ = read_texts(train, "train")
    order = np.random.default_rng(0).permutation(len(known))[:CALIBRATION]
    texts, labels = read_texts(test, "test")
    if strangers := set(labels) - set(numbers):
        raise SystemExit(f"{head} has no class {sorted(strangers)[0]!r}, which {test} has")
    if quick:
        chosen = np.random.default_rng(1).permutation(len(texts))[:QUICK]
        texts, labels = [texts[i] for i in chosen], [labels[i] for i in chosen]
    wanted = np.array([numbers[label] for label in labels])
    return TextSet(name, head, tokens([known[i] for i in order]), tokens(texts), wanted)


def one_set(found: TextSet, record: Record, isas: Sequence[str], arguments: Namespace, folder: Path) -> None:
    """Every form by both engines, one row each."""
    threads = arguments.threads
    floats = float_model(found, folder / "float")
    plain = answers(onnx_runtime(floats.payload, threads), found)
    for isa in isas:
        where = f" ({isa})" if len(isas) > 1 else ""
        dot = "vnni" in isa or "dot" in isa
        ours, _ = native(floats.payload, folder / f"float-{isa}", threads, isa)
        row(record, f"{found.name}, float32{where}", found, answers(ours, found), plain, "")
        forms = dict(FORMS) if dot or arguments.quick else {**FORMS, **SUMS}
        for form, step in forms.items():
            product = quantized(floats, step, 8 if dot else 7, found, folder / f"{form}-{8 if dot else 7}")
            theirs = answers(onnx_runtime(product.payload, threads), found)
            ours, mean = native(product.payload, folder / f"{form}-{isa}", threads, isa)
            case = f"{found.name}, {form}" + ("" if isa == isas[0] else where)
            words = f"{isa}, {8 if dot else 7}-bit weights; float32 {100 * right(plain, found).mean():.2f}"
            words += f"; {mean:.1f} quads a run" if isa == "avx2" else ""
            row(record, case, found, answers(ours, found), theirs, words)


def float_model(found: TextSet, folder: Path) -> Model:
    """MiniLM with the head, by our ``to_onnx`` and ``fuse``."""
    os.environ["SPEEDWELL_HEAD"] = str(found.head)  # the example reads it
    folder.mkdir()
    model = sources.load_model(f"{EXAMPLE}:build", None, folder)
    model = sources.complete_signature(model, found.known[0])
    for step in ("to_onnx", "fuse"):
        model = passes.build(Step(step))(model, context(found, folder))
    return model


def quantized(model: Model, step: Step, bits: int, found: TextSet, folder: Path) -> Model:
    if not folder.exists():  # two instruction sets may share it
        print(f"{found.name}: {step.label}, {bits}-bit weights", flush=True)
    folder.mkdir(exist_ok=True)
    made = passes.build(Step(step.name, {**step.params, "weight_bits": bits}))(model, context(found, folder))
    passes.reference.forget()
    return made


def context(found: TextSet, folder: Path) -> Context:
    def calibration() -> Iterator[Arrays]:
        yield from found.known

    shapes = {name: tuple(array.shape) for name, array in found.known[0].items()}
    return Context(calibration, passes.reference.run, Workload(1, 1, shapes), Hardware.here(), folder)


def onnx_runtime(path: Path, threads: int) -> Callable[[Arrays], np.ndarray]:
    session = passes.reference.session(path, threads, optimize=True)
    return lambda sample: np.asarray(session.run(None, sample)[0])


def native(path: Path, folder: Path, threads: int, isa: str) -> tuple[Callable[[Arrays], np.ndarray], float]:
    """What answers, and the quads that its products add before they widen, on average (0 where there are no runs)."""
    lower(path, folder)
    session = Session(folder, threads, isa)
    return lambda sample: next(iter(session.run(sample).values())), mean_run(folder)


def mean_run(folder: Path) -> float:
    held = load_file(folder / "weights.safetensors")
    quads = sum(a.size for name, a in held.items() if name.endswith(".order"))
    return quads / max(1, sum(int((a > 0).sum()) for name, a in held.items() if name.endswith(".runs")))


def answers(run: Callable[[Arrays], np.ndarray], found: TextSet) -> Answers:
    """The class that has the largest logit, for each text."""
    return np.array([int(run(sample)[0].argmax()) for sample in found.samples])


def right(given: Answers, found: TextSet) -> np.ndarray:
    return np.asarray(given == found.labels)


def row(record: Record, case: str, found: TextSet, ours: Answers, theirs: Answers, words: str) -> None:
    mine, peer = right(ours, found), right(theirs, found)
    only_ours, only_theirs, n = int((mine & ~peer).sum()), int((peer & ~mine).sum()), len(mine)
    low, high = tango_interval(only_ours, only_theirs, n)
    base = float(peer.mean())
    gap = [100 * (mine.mean() - base), 100 * low, 100 * high]
    note = f"right in ours alone {only_ours}, in the other alone {only_theirs}, answers that differ "
    note += f"{int((ours != theirs).sum())}; difference {gap[0]:+.2f} points [{gap[1]:+.2f}, {gap[2]:+.2f}]"
    record.row(
        case, "accuracy, %", 100 * float(mine.mean()), "ONNX Runtime", 100 * base, float(mine.mean()) / base,
        (base + low) / base, (base + high) / base, n, f"{note}; {words}" if words else note,
    )  # fmt: skip
    record.samples[case] = {"ours": ours.tolist(), "peer": theirs.tolist(), "labels": found.labels.tolist()}
    print(f"{case}: {100 * mine.mean():.2f} against {100 * base:.2f}; {note}", flush=True)


if __name__ == "__main__":
    main()
