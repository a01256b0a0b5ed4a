"""Labels as written in the data, to class numbers: by name where there are names, integers as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import LabelMismatchError

__all__ = ["number_labels"]


def number_labels(
    values: Sequence[Any], names: Sequence[str] = (), classes: Sequence[str] = ()
) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Class numbers int64 [n] (-1 unlabelled), class names, and warnings.

    ``values``: names, integers (or texts of integers) or None. ``names``: the data's own names by number, if any.
    ``classes``: names in the model's order, if known; then labels are matched by name, exactly or else without
    regard to case and punctuation. Integers stay integers, unless ``names`` and ``classes`` say otherwise.
    Raises ``LabelMismatchError`` listing what does not match.
    """
    if all(v is None for v in values):
        return np.full(len(values), -1, np.int64), (), []
    written = [None if v is None else v if _is_int(v) else str(v).strip() for v in values]
    texts = {w for w in written if isinstance(w, str)}
    if not texts:
        return _integers([None if w is None else int(w) for w in written], names, classes)
    if classes:
        table = match_names(sorted(texts), classes)
        if table is None and all(_reads_int(t) for t in texts):
            # folders or cells called 0, 1, 2 beside a model that has names: class numbers
            return _integers([None if w is None else int(w) for w in written], (), classes)
        if table is None:
            raise _unmatched(sorted(texts), classes)
        order = tuple(classes)
    elif names:
        table, order = match_names(sorted(texts), names), tuple(names)
        if table is None:
            raise _unmatched(sorted(texts), names)
    elif all(_reads_int(t) for t in texts):
        return _integers([None if w is None else int(w) for w in written], (), ())
    else:
        order = tuple(sorted({str(w) for w in written if w is not None}))
        table = {name: i for i, name in enumerate(order)}
    return np.array([-1 if w is None else table[str(w)] for w in written], np.int64), order, []


def match_names(names: Sequence[str], classes: Sequence[str]) -> dict[str, int] | None:
    """Each name's place in ``classes``: exactly, else by letters and digits alone. None where one has no place."""
    exact = {c: i for i, c in enumerate(classes)}
    if all(n in exact for n in names):
        return {n: exact[n] for n in names}
    loose = {_loose(c): i for i, c in enumerate(classes)}
    if len(loose) < len(classes) or len({_loose(n) for n in names}) < len(names):
        return None  # two names would fall together
    if all(_loose(n) in loose for n in names):
        return {n: loose[_loose(n)] for n in names}
    return None


def _integers(
    values: Sequence[int | None], names: Sequence[str], classes: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    targets = np.array([-1 if v is None else v for v in values], np.int64)
    if (targets < -1).any():
        raise LabelMismatchError(
            f"a label is {int(targets.min())}", "Class numbers start at 0; -1 or nothing means unlabelled."
        )
    if not (targets >= 0).any():
        return targets, (), []
    top = int(targets.max())
    known = tuple(names) or tuple(classes)
    if known and top >= len(known):
        raise LabelMismatchError(
            f"label {top} is beyond the {len(known)} class names ({', '.join(known[:3])}, ...)",
            "Class numbers start at 0; check the labels, or give the names with --classes.",
        )
    if names and classes and tuple(names) != tuple(classes):
        table = match_names(names, classes)
        if table is None:
            return (
                targets,
                tuple(classes) if len(classes) > top else tuple(names),
                [
                    f"the data calls its classes {', '.join(names[:3])}, ... and the model "
                    f"{', '.join(classes[:3])}, ...: class numbers are taken as they are"
                ],
            )
        order = np.array([table[n] for n in names], np.int64)
        return np.where(targets >= 0, order[targets], -1), tuple(classes), []
    return targets, tuple(classes) or tuple(names) or tuple(str(i) for i in range(top + 1)), []


def _unmatched(names: Sequence[str], classes: Sequence[str]) -> LabelMismatchError:
    known, loose = set(classes), {_loose(c) for c in classes}
    missing = [n for n in names if n not in known and _loose(n) not in loose] or list(names)
    return LabelMismatchError(
        f"{len(missing)} label(s) of the data are no class of the model: {', '.join(map(repr, missing[:5]))}"
        + (", ..." if len(missing) > 5 else "")
        + f"; the model has {len(classes)}: {', '.join(map(repr, classes[:5]))}"
        + (", ..." if len(classes) > 5 else ""),
        "Rename the labels, or give the names in the order of the model's outputs with --classes FILE.",
    )


def _loose(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _is_int(value: Any) -> bool:
    return isinstance(value, (bool, int, np.integer, np.bool_))


def _reads_int(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d{1,9}", text) is not None
