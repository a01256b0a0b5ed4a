"""The last lines of a run: what was confirmed, how much faster, where it lies, how to use it."""

from __future__ import annotations

from ..core import Result
from .progress import Paths
from .sentence import accuracy_words, speed_words, verdict_kind, verdict_sentence, winner_confirmation
from .words import digits, plain, size

__all__ = ["closing_lines", "interrupted_line"]


def closing_lines(result: Result, paths: Paths) -> list[tuple[str, str]]:
    """(heading, text) pairs: Confirmed, Faster, Bundle, Report, Use it for a certified winner; else the verdict
    ("" as its heading), what else was found, and the paths.
    """
    lines: list[tuple[str, str]] = []
    won = winner_confirmation(result)
    if verdict_kind(result) == "certified" and won is not None:
        lines.append(("Confirmed", f"{accuracy_words(won.accuracy, result.promise)}. Promise kept."))
        faster = ", ".join(speed_words(s) for s in _first_workload(won.speed))
        lines.append(("Faster", ". ".join(part for part in (faster, _size(result)) if part) + "."))
    else:
        head, _, rest = verdict_sentence(result).partition(": ")
        lines.append((head, rest))
    lines += [("Warning", plain(w)) for w in result.warnings]
    names = (("bundle", "Bundle"), ("report", "Report"), ("run", "Run"), ("use", "Use it"))
    lines += [(name, plain(paths[key])) for key, name in names if paths.get(key)]
    return lines


def _first_workload(claims: tuple) -> list:  # type: ignore[type-arg]
    return [c for c in claims if c.workload == claims[0].workload]


def _size(result: Result) -> str:
    """From ``environment["best_size_bytes"]``, where the workflow left it."""
    best = result.environment.get("best_size_bytes")
    if not isinstance(best, int) or best <= 0:
        return ""
    before = result.original.size_bytes
    if before <= 0 or abs(before / best - 1) < 0.02:
        return size(best)
    if before > best:
        return f"{size(best)}, {digits(before / best, 2)}x smaller"
    return f"{size(best)}, {digits(best / before, 2)}x larger"


def interrupted_line(best: str, resume: str) -> str:
    """What Ctrl-C leaves behind, and how to go on."""
    kept = f"Best so far is in {plain(best)}, not confirmed." if best else "No candidate has won yet."
    return f"Stopped. {kept} Go on with: {plain(resume)}, or confirm now with --confirm-now"
