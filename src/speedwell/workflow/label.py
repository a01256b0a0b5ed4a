"""``label``: ask for the few labels that decide an undecided promise, and decide it with them.

Tango's test needs a label only where the two models differ (statistics of paired yes/no data): everywhere else both
are right or both are wrong.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import DataNotFoundError, LabelMismatchError, OutputError
from ..core.verdict import AccuracyClaim
from ..measure import judge_with_labels, parse_promise, settle_promise
from .differing import Differing, differing_of
from .run_folder import RunFolder
from .seen import text_of

__all__ = ["Labelling", "label"]

COLUMNS = ("index", "sample", "original", "winner", "label")


@dataclass(frozen=True)
class Labelling:
    """``asked``: samples whose label is needed, in ``file``; ``n``: all that both answered. ``claim`` is None until
    labels were given.
    """

    file: str
    asked: int
    n: int
    claim: AccuracyClaim | None = None

    @property
    def text(self) -> str:
        """The same for a person."""
        if self.claim is None:
            return (
                f"{self.asked} of {self.n:,} answers differ; only these need a label.\n"
                f"Fill in the last column of {self.file}, then:  speedwell label RUN --labels {self.file}"
            )
        c = self.claim
        return (
            f"{c.verdict.value}: {c.n12} times the winner alone was right, {c.n21} times the original alone, "
            f"of {c.n:,}; "
            f"at worst {-100 * c.lower:.2f} points lower ({100 * (1 - c.alpha):g} % sure), promise {100 * c.margin:g}."
            + (f"\n{c.note}" if c.note else "")
        )


def label(
    run: str | Path, labels: str | Path | None = None, out: str | Path | None = None, max_drop: str | float = "1pt"
) -> Labelling:
    """Write the csv file, or (with ``labels``) read it back and finish the verdict.

    Raises ``RunError`` for a run that confirmed nothing, ``LabelMismatchError`` for labels that are no classes.
    """
    folder = RunFolder.open(Path(run))
    found = differing_of(folder)
    n = len(found.original.answers)
    if labels is None:
        file = Path(out) if out is not None else folder.path / "to_label.csv"
        _write(file, found)
        return Labelling(str(file), len(found.index), n)
    promise = settle_promise(parse_promise(max_drop=max_drop), 1.0, None)
    claim = judge_with_labels(found.original, found.winner, _read(Path(labels), found), promise.margin, promise.alpha)
    folder.update(labelled={"file": Path(labels).name, "verdict": claim.verdict.value, "lower": claim.lower})
    return Labelling(str(labels), len(found.index), n, claim)


def _write(file: Path, found: Differing) -> None:
    texts = found.split.transform.kind == "text"
    try:
        with file.open("w", newline="", encoding="utf-8") as f:
            writer = csv.writer(f)
            writer.writerow(COLUMNS)
            for i in found.index.tolist():
                sample = text_of(found.split, i) if texts else found.split.origins[i]
                names = (found.name(int(a.answers[i])) for a in (found.original, found.winner))
                writer.writerow([i, sample, *names, ""])
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}", "Name another place with --out.") from error


def _read(file: Path, found: Differing) -> dict[int, int]:
    """Index to class. An empty label stays out (it then counts against the winner)."""
    if not file.is_file():
        raise DataNotFoundError(f"there is no file {file}", "Write it first: speedwell label RUN")
    numbers = {name: i for i, name in enumerate(found.prepared.data.classes)}
    labels: dict[int, int] = {}
    with file.open(newline="", encoding="utf-8-sig") as f:
        for line, row in enumerate(csv.DictReader(f), 2):
            text = (row.get("label") or "").strip()
            if not text:
                continue
            if text in numbers:
                labels[int(row["index"])] = numbers[text]
            elif text.lstrip("-").isdigit():
                labels[int(row["index"])] = int(text)
            else:
                raise LabelMismatchError(
                    f"{file}:{line}: {text!r} is no class", "Write a class name or number as in the other columns."
                )
    return labels
