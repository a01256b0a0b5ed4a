"""The table of the terminal: fixed columns, so that rows can be printed one by one as they finish."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from .progress import TrialRow
from .words import interval, milliseconds, percent, plain, ratio, signed_points

__all__ = ["Columns"]

_TITLES = ("what", "accuracy", "latency", "against the original")
_MIN_VERDICT = 26


@dataclass(frozen=True)
class Columns:
    """Widths in cells; ``verdict`` is what is left for the last column, None where it may run on (a pipe)."""

    what: int
    accuracy: int = 14
    latency: int = 8
    verdict: int | None = _MIN_VERDICT
    indent: int = 2
    gap: int = 2

    @staticmethod
    def fit(width: int, endless: bool = False) -> Columns:
        """Columns for a console of ``width`` cells (80 and up keep every column; below, the first one shrinks).

        ``endless``: the last column is never wrapped, so that each row of a pipe is one line.
        """
        fixed = 2 + 14 + 8 + 3 * 2
        what = min(44, max(12, width - fixed - _MIN_VERDICT - 1))
        return Columns(what=what, verdict=None if endless else max(_MIN_VERDICT, width - fixed - what - 1))

    def head(self) -> Text:
        """The titles, dim."""
        what, accuracy, latency, verdict = _TITLES
        cells = [set_cell_size(what, self.what), set_cell_size(accuracy, self.accuracy), latency.rjust(self.latency)]
        return Text(" " * self.indent + (" " * self.gap).join([*cells, verdict]), style="dim")

    def row(self, row: TrialRow) -> Text:
        """One candidate; a label or a reason that does not fit goes on below, under its own column."""
        names = [plain(row.label)] if self.verdict is None else _wrap(plain(row.label), self.what)
        verdicts = self._verdict(row)
        numbers = (_accuracy(row).ljust(self.accuracy), _latency(row).rjust(self.latency))
        quiet = "dim" if row.words and not row.best else ""
        lines = []
        for i in range(max(len(names), len(verdicts))):
            name = names[i] if i < len(names) else ""
            text = Text(" " * self.indent)
            text.append(name + " " * (self.what - cell_len(name)), style="bold" if row.best else quiet)
            for number in numbers:
                text.append(" " * self.gap)
                text.append(number if i == 0 else " " * len(number), style=quiet)
            text.append(" " * self.gap)
            text.append(verdicts[i] if i < len(verdicts) else Text(""))
            text.rstrip()
            lines.append(text)
        return Text("\n").join(lines)

    def _verdict(self, row: TrialRow) -> list[Text]:
        words = plain(row.words)
        if row.failed:
            return [Text(line, style="dim") for line in self._lines(words or "failed")]
        figures = _ratio(row)
        tail = "best so far" if row.best else ""
        if tail and self.verdict is not None and cell_len(f"{figures}  {words}  {tail}") > self.verdict:
            tail = "best"
        one = "  ".join(part for part in (figures, words, tail) if part)
        if self.verdict is None or cell_len(one) <= self.verdict:
            text = Text()
            text.append(figures, style="bold" if row.best else ("dim" if words else ""))
            for part, style in ((words, "dim"), (tail, "bold green")):
                if part:
                    text.append("  " if len(text) else "").append(part, style=style)
            return [text]
        lines = [Text(figures, style="bold" if row.best else "dim" if words else "")] if figures else []
        lines += [Text(line, style="dim") for line in self._lines(words)] if words else []
        return lines + ([Text(tail, style="bold green")] if tail else [])

    def _lines(self, words: str) -> list[str]:
        return [words] if self.verdict is None else _wrap(words, self.verdict)


def _wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells; a word that is longer is broken."""
    lines: list[str] = []
    for line in textwrap.wrap(text, width, break_long_words=True) or [""]:
        # wide characters: textwrap counts characters, a terminal counts cells
        while cell_len(line) > width:
            cut = len(line)
            while cell_len(line[:cut]) > width:
                cut -= 1
            lines.append(line[:cut])
            line = line[cut:]
        lines.append(line)
    return lines


def _accuracy(row: TrialRow) -> str:
    if row.accuracy is None:
        return "" if row.failed or row.difference is None else f"({signed_points(row.difference)})"
    if row.difference is None:
        return percent(row.accuracy)
    if row.difference == 0:
        return f"{percent(row.accuracy)}  ="
    return f"{percent(row.accuracy)} ({signed_points(row.difference)})"


def _latency(row: TrialRow) -> str:
    return "" if row.seconds is None else milliseconds(row.seconds)


def _ratio(row: TrialRow) -> str:
    if row.ratio is None:
        return ""
    if row.ratio.low == row.ratio.high:
        return ratio(row.ratio.estimate)
    return f"{ratio(row.ratio.estimate)}  {interval(row.ratio)}"
