"""Every finished trial on disk before the next begins: SQLite, one file, one writer.

Journal: rollback (DELETE) with synchronous=EXTRA, not WAL. A run commits twice per trial, so throughput does not
matter, while WAL keeps finished trials in a second file that a copy of ``store.sqlite`` would miss. EXTRA also syncs
the folder once the journal is deleted, so that a commit survives a power cut. ``locking_mode=EXCLUSIVE`` makes the
second ``--resume`` of one run a typed error; the lock dies with its process.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from speedwell.core import Candidate, Outcome, dumps, loads
from speedwell.core.errors import RunError

from ..core.atomic import write_atomic
from .evidence_blob import pack, unpack

__all__ = ["STORE_NAME", "Store"]

STORE_NAME = "store.sqlite"
_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS trials (
    number    INTEGER PRIMARY KEY,
    key       TEXT NOT NULL UNIQUE,
    candidate TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('begun', 'finished')),
    outcome   TEXT,
    evidence  BLOB,
    digest    TEXT,
    created   REAL NOT NULL,
    seconds   REAL,
    CHECK ((state = 'finished') = (outcome IS NOT NULL AND digest IS NOT NULL))
) STRICT
"""


class Store:
    """The trials of one run. Open it with ``Store.open``; use it from one thread; close it, or use it as a context."""

    def __init__(self, connection: sqlite3.Connection, path: Path, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock
        self.path = path

    @staticmethod
    def open(folder: Path, clock: Callable[[], float] = time.time) -> Store:
        """The store in ``folder``, made where there is none. ``clock`` gives each trial's time stamp.

        Raises ``RunError`` where the file is damaged, is no store, comes from a newer version, cannot be written, or
        is in use by another process.
        """
        path = folder / STORE_NAME
        with _typed(path):
            connection = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        try:
            with _typed(path):
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("BEGIN IMMEDIATE")
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version > _VERSION:
                    raise RunError(
                        f"{path} was written by a newer version of Speedwell (schema {version}, this one reads "
                        f"{_VERSION})",
                        "Update it: pip install -U speedwell",
                    )
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
                connection.execute("COMMIT")
                verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise _damaged(path, str(verdict))
        except BaseException:
            connection.close()
            raise
        return Store(connection, path, clock)

    def begin(self, number: int, candidate: Candidate) -> None:
        """Note that trial ``number`` starts. A trial that began before and never finished may begin again.

        Raises ``RunError`` where ``candidate`` was finished already, or the number belongs to another candidate.
        """
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT number, key, state FROM trials WHERE number = ? OR key = ?", (number, candidate.key)
            ).fetchall()
            if rows == [(number, candidate.key, "begun")]:
                return
            if rows:
                raise RunError(
                    f"trial {number} ({candidate.label}) cannot begin: the store holds "
                    + "; ".join(f"trial {n} ({state}) of {key[:12]}" for n, key, state in rows),
                    "Each candidate is tried once in a run; start a new run to try it again.",
                )
            connection.execute(
                "INSERT INTO trials (number, key, candidate, state, created) VALUES (?, ?, ?, 'begun', ?)",
                (number, candidate.key, dumps(candidate), self._clock()),
            )

    def finish(self, outcome: Outcome) -> Outcome:
        """Store the outcome of a begun trial, in one transaction; returns it with its ``number``.

        When this returns, the trial survives any crash; when it raises, the trial is still begun.
        Raises ``RunError`` (no such begun trial, disk full, damaged file).
        """
        blob = pack(outcome.evidence) if outcome.evidence is not None else None
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT number FROM trials WHERE key = ? AND state = 'begun'", (outcome.candidate.key,)
            ).fetchone()
            if row is None:
                raise RunError(f"{outcome.candidate.label} has no trial that began and is not finished")
            numbered = replace(outcome, number=row[0])
            text = dumps(replace(numbered, evidence=None))
            connection.execute(
                "UPDATE trials SET state = 'finished', outcome = ?, evidence = ?, digest = ?, seconds = ? "
                "WHERE number = ?",
                (text, blob, _digest(text, blob), outcome.seconds, row[0]),
            )
        return numbered

    def outcomes(self) -> tuple[Outcome, ...]:
        """Every finished trial, by number. Raises ``RunError`` where a row is not what was written."""
        with _typed(self.path):
            rows = self._connection.execute(
                "SELECT number, outcome, evidence, digest FROM trials WHERE state = 'finished' ORDER BY number"
            ).fetchall()
        return tuple(self._outcome(*row) for row in rows)

    def unfinished(self) -> tuple[tuple[int, Candidate], ...]:
        """Trials that began and did not finish, by number: to be begun again under the same number."""
        with _typed(self.path):
            rows = self._connection.execute(
                "SELECT number, candidate FROM trials WHERE state = 'begun' ORDER BY number"
            ).fetchall()
        return tuple((number, self._candidate(number, text)) for number, text in rows)

    @property
    def next_number(self) -> int:
        """The lowest number that no trial has (they count from 0)."""
        with _typed(self.path):
            return int(self._connection.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM trials").fetchone()[0])

    @property
    def seconds(self) -> float:
        """Seconds of all finished trials: what a resumed run has used at least."""
        with _typed(self.path):
            return float(self._connection.execute("SELECT COALESCE(SUM(seconds), 0.0) FROM trials").fetchone()[0])

    def export(self, path: Path) -> None:
        """Write every outcome as core JSON, atomically: ``core.loads(tuple[Outcome, ...], text)`` reads it back."""
        write_atomic(path, dumps(self.outcomes()).encode())

    def close(self) -> None:
        """Let the lock go. Closing twice is fine."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _typed(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite ends the transaction itself after some errors (disk full): then there is nothing to undo.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _outcome(self, number: int, text: str, blob: bytes | None, digest: str) -> Outcome:
        if _digest(text, blob) != digest:
            raise _damaged(self.path, f"trial {number} does not match its checksum")
        try:
            outcome = loads(Outcome, text)
            return replace(outcome, evidence=unpack(blob) if blob is not None else None)
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(self.path, f"trial {number} cannot be read: {error}") from error

    def _candidate(self, number: int, text: str) -> Candidate:
        try:
            return loads(Candidate, text)
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(self.path, f"trial {number} cannot be read: {error}") from error


def _digest(text: str, blob: bytes | None) -> str:
    return hashlib.sha256(text.encode() + b"\0" + (blob or b"")).hexdigest()


def _damaged(path: Path, why: str) -> RunError:
    return RunError(f"the store {path} is damaged: {why}", "Start a new run; this one cannot go on safely.")


@contextlib.contextmanager
def _typed(path: Path) -> Iterator[None]:
    """SQLite's errors as ``RunError``, with the way out that fits."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_BUSY") or name.startswith("SQLITE_LOCKED"):
            raise RunError(
                f"the store {path} is in use by another process", "Wait for that run, or stop it."
            ) from error
        if name.startswith("SQLITE_FULL"):
            raise RunError(
                f"the store {path} cannot grow: {error}",
                "Free disk space, then go on with --resume; no finished trial is lost.",
            ) from error
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_PERM")):
            raise RunError(
                f"the store {path} cannot be read or written: {error}", "Check the folder and disk."
            ) from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise _damaged(path, str(error)) from error
        raise RunError(f"the store {path} fails: {error}") from error
