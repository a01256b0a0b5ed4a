"""What was written down before the confirmation split was looked at: append-only, hash-chained, fsynced lines.

Each line holds the hash of the line before it, so an earlier one cannot be changed or taken out unnoticed. A line
counts once its newline is on disk: a last line without one was torn by a crash, was never acknowledged to anyone,
and is dropped by the next append.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedwell.core import Candidate, Promise, content_hash, decode, encode
from speedwell.core.errors import RunError

from ..core.atomic import sync_folder

__all__ = ["LEDGER_NAME", "Entry", "Ledger"]

LEDGER_NAME = "ledger.jsonl"
_FIRST = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One line. ``kind``: "finalists" (declared before opening), "opening" or "closing" of the confirmation split.

    ``at``: seconds since the epoch. ``hash`` covers everything else, ``previous`` included.
    """

    ordinal: int
    kind: str
    at: float
    body: Mapping[str, Any]
    previous: str
    hash: str = ""

    def sealed(self) -> Entry:
        """The entry with its hash."""
        return Entry(self.ordinal, self.kind, self.at, self.body, self.previous, self.digest)

    @property
    def digest(self) -> str:
        return content_hash([self.ordinal, self.kind, self.at, self.body, self.previous])

    @property
    def finalists(self) -> tuple[Candidate, ...]:
        """The candidates of a "finalists" entry, in the order in which they are tested."""
        return tuple(decode(Candidate, c) for c in self.body.get("finalists", ()))


class Ledger:
    """The ledger of one run folder. Every append is on disk when it returns."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock

    @staticmethod
    def open(folder: Path, clock: Callable[[], float] = time.time) -> Ledger:
        """The ledger in ``folder``; the file comes with the first entry. Raises ``RunError`` where it was changed."""
        ledger = Ledger(folder / LEDGER_NAME, clock)
        ledger.entries  # noqa: B018 - reading checks the chain
        return ledger

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every whole line. Raises ``RunError`` where a line is not what was written."""
        return self._read()[0]

    def declare(
        self,
        finalists: Sequence[Candidate],
        promise: Promise,
        test: str,
        n: int,
        facts: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Write down what will be tested, before it is: ``n`` confirmation samples, the margin, ``test``'s name, and
        the alpha that the opening will have. ``facts``: further plain JSON (workloads, correction, seed).
        """
        ordinal, alpha = self._next(promise.alpha)
        body = {
            "finalists": encode(tuple(finalists)),
            "promise": encode(promise),
            "test": test,
            "n": n,
            "opening": ordinal,
            "alpha": alpha,
            "facts": encode(dict(facts or {})),
        }
        return self._append("finalists", body)

    def next_opening(self) -> tuple[int, float]:
        """(ordinal, alpha) of the opening that would come now; the first has ordinal 1 and the promise's alpha, each
        further one half of it. Raises ``RunError`` where no finalists are declared.
        """
        declared = self._declared()
        return self._next(float(declared.body["promise"]["alpha"]))

    def open_confirmation(self) -> tuple[int, float]:
        """Write that the confirmation split is opened now, and return (ordinal, alpha) to test with.

        Raises ``RunError`` unless finalists were declared after the last opening: nothing is chosen after looking.
        """
        ordinal, alpha = self.next_opening()
        declared = self._declared()
        if any(e.kind == "opening" and e.ordinal > declared.ordinal for e in self.entries):
            raise RunError(
                "the confirmation split cannot be opened again: no finalists were declared since it was opened"
            )
        self._append("opening", {"opening": ordinal, "alpha": alpha, "declared": declared.hash})
        return ordinal, alpha

    def close_confirmation(self, facts: Mapping[str, Any]) -> Entry:
        """Write that the tests of the last opening are done; ``facts``: plain JSON (verdicts by candidate key)."""
        return self._append("closing", {"facts": encode(dict(facts))})

    @property
    def unclosed(self) -> tuple[Entry, int, float] | None:
        """(declaration, ordinal, alpha) of an opening that a crash cut off. Testing the very finalists of that
        declaration to the end is the same opening: nothing was chosen after looking. Else None.
        """
        entries = self.entries
        last = next((e for e in reversed(entries) if e.kind in ("opening", "closing")), None)
        if last is None or last.kind == "closing":
            return None
        declared = next(e for e in entries if e.hash == last.body["declared"])
        return declared, int(last.body["opening"]), float(last.body["alpha"])

    def _declared(self) -> Entry:
        declared = [e for e in self.entries if e.kind == "finalists"]
        if not declared:
            raise RunError("the confirmation split cannot be opened: no finalists are declared in the ledger")
        return declared[-1]

    def _next(self, alpha: float) -> tuple[int, float]:
        opened = sum(e.kind == "opening" for e in self.entries)
        return opened + 1, alpha / 2**opened

    def _read(self) -> tuple[tuple[Entry, ...], int]:
        """The entries, and how many bytes they take (what follows is torn)."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return (), 0
        except OSError as error:
            raise RunError(f"cannot read the ledger {self.path}: {error.strerror or error}") from error
        end = data.rfind(b"\n") + 1
        entries: list[Entry] = []
        previous = _FIRST
        for ordinal, line in enumerate(data[:end].split(b"\n")[:-1]):
            try:
                entry: Entry = decode(Entry, json.loads(line))
                sound = (entry.ordinal, entry.previous, entry.hash) == (ordinal, previous, entry.digest)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise self._changed(ordinal) from error
            if not sound:
                raise self._changed(ordinal)
            entries.append(entry)
            previous = entry.hash
        return tuple(entries), end

    def _changed(self, ordinal: int) -> RunError:
        return RunError(
            f"line {ordinal + 1} of the ledger {self.path} is not what was written",
            "The confirmation of this run can no longer be trusted; start a new run.",
        )

    def _append(self, kind: str, body: Mapping[str, Any]) -> Entry:
        entries, end = self._read()
        previous = entries[-1].hash if entries else _FIRST
        entry = Entry(len(entries), kind, self._clock(), body, previous).sealed()
        line = json.dumps(encode(entry), allow_nan=False).encode() + b"\n"
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(descriptor, end)
                try:
                    written = 0
                    while written < len(line):
                        written += os.pwrite(descriptor, line[written:], end + written)
                    os.fsync(descriptor)
                except OSError:
                    # Not acknowledged, so it must not count later either.
                    os.ftruncate(descriptor, end)
                    raise
            finally:
                os.close(descriptor)
            sync_folder(self.path.parent)
        except OSError as error:
            raise RunError(
                f"cannot write the ledger {self.path}: {error.strerror or error}",
                "Free disk space there, then go on with --resume; the confirmation split was not opened.",
            ) from error
        return entry
