"""The user's words for a promise, read: ``--max-drop 1pt | 1% | 1%rel | 0.01 | auto`` and ``--agree 99%``."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from speedwell.core.errors import UsageError
from speedwell.core.verdict import Promise

__all__ = ["parse_promise", "settle_promise"]

_NUMBER = r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*"
_POINTS = re.compile(_NUMBER + r"(?:pts?|points?|pp|%)\s*", re.IGNORECASE)
_RELATIVE = re.compile(_NUMBER + r"%\s*rel(?:ative)?\s*", re.IGNORECASE)
_PLAIN = re.compile(_NUMBER)
_WAYS = "Write 1pt (one point below the original), 1%rel (of the original's score), 0.01, or auto."


def parse_promise(
    max_drop: str | float | None = None, agree: str | float | None = None, alpha: float = 0.05
) -> Promise:
    """The promise that the user asked for; neither given means "auto".

    A bare ``1%`` means points. "auto" and "1%rel" are open until the data has spoken: their ``margin`` is 0 until
    ``settle_promise``. ``stated`` keeps the user's words. Raises ``UsageError`` with the ways to write it.
    """
    if max_drop is not None and agree is not None:
        raise UsageError(
            f"--max-drop {max_drop} and --agree {agree} are two promises",
            "Give --max-drop where there are labels, --agree where there are none.",
        )
    if agree is not None:
        return _agreement(agree, alpha)
    words = "auto" if max_drop is None else str(max_drop).strip()
    if words.lower() == "auto":
        return Promise("accuracy", 0.0, "auto", alpha)
    if found := _RELATIVE.fullmatch(words):
        _inside(float(found[1]) / 100.0, words)
        return Promise("accuracy", 0.0, words, alpha)
    if found := _POINTS.fullmatch(words):
        return Promise("accuracy", _inside(float(found[1]) / 100.0, words), words, alpha)
    if found := _PLAIN.fullmatch(words):
        value = float(found[1])
        if value >= 1.0:
            raise UsageError(f"--max-drop {words} could mean points or all of it", f"Write {words}pt for points.")
        return Promise("accuracy", _inside(value, words), words, alpha)
    raise UsageError(f"--max-drop {words!r} is not a promise", _WAYS)


def settle_promise(
    promise: Promise, original_score: float | None = None, tightest_margin: float | None = None
) -> Promise:
    """The promise with its margin: a relative one from the original's score (0..1), "auto" from the pre-flight's
    tightest margin. One that has a margin comes back as it is. Raises ``UsageError`` where what it needs is missing.
    """
    if promise.margin > 0.0 or promise.kind == "equal":
        return promise
    if found := _RELATIVE.fullmatch(promise.stated):
        if original_score is None or not math.isfinite(original_score) or original_score <= 0.0:
            raise UsageError(
                f"{promise.stated} is relative to the original's score, which is {original_score}",
                "Give points instead: --max-drop 1pt.",
            )
        return replace(promise, margin=_inside(float(found[1]) / 100.0 * original_score, promise.stated))
    if tightest_margin is None:
        raise UsageError(
            f"--max-drop {promise.stated} takes what the data can show, and there is no labelled data",
            "Give --data with labels, or --agree 99% for data without.",
        )
    return replace(promise, margin=_inside(tightest_margin, promise.stated))


def _agreement(agree: str | float, alpha: float) -> Promise:
    words = str(agree).strip()
    percent = re.fullmatch(_NUMBER + "%", words)
    plain = _PLAIN.fullmatch(words)
    if not percent and not plain:
        raise UsageError(f"--agree {words!r} is not a share", "Write --agree 99% or --agree 0.99.")
    share = float(percent[1]) / 100.0 if percent else float(plain[1] if plain else "nan")
    if not 0.5 <= share < 1.0:
        raise UsageError(
            f"--agree {words} asks for {share:.4g} of the answers to be the same",
            "It must lie from 50% to below 100%: no finite data shows that two models never differ.",
        )
    return Promise("agreement", round(1.0 - share, 12), f"agree {words}", alpha)


def _inside(margin: float, words: str) -> float:
    if not 0.0 < margin < 1.0:
        fix = "No finite data can show a drop of exactly 0; write 0.5pt." if margin == 0.0 else _WAYS
        raise UsageError(f"--max-drop {words} is a margin of {margin * 100:g} points", fix)
    return margin
