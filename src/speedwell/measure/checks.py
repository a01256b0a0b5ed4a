"""Are the outputs right? Shape, dtype, finiteness against the signature; values against the reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from speedwell.core.errors import JobError
from speedwell.core.outcome import FailureKind
from speedwell.core.signature import Signature

from .failure import job_error

__all__ = ["LOSSLESS_TOLERANCE", "LOSSY_FLOOR", "check_outputs", "compare_outputs", "largest_difference"]

# Two float32 programs of one network add the same terms in another order. One sum of K terms then differs by about
# u sqrt(K) of its scale (u = 2^-24, independent roundings; Higham, Accuracy and Stability, 2nd ed., section 2.8); over
# L layers that pass errors on without amplifying them, by L u sqrt(K). The largest common networks, L = 100 and
# K = 4608 (3 x 3 x 512), give 4e-4 of the output's scale. Common engines differ by 1e-6 to 1e-5.
LOSSLESS_TOLERANCE = 5e-4
# Correlation with the reference. Working int8 networks lie above 0.9 and a network that is merely bad is for the
# accuracy test to refuse; permuted classes, other weights or another preprocessing lie near 0.
LOSSY_FLOOR = 0.5
_CONSTANT = 1e-3
_CODES = 0.01


def check_outputs(
    outputs: Mapping[str, np.ndarray], signature: Signature, symbols: Mapping[str, int] | None = None
) -> None:
    """Raise ``JobError`` ("wrong shape", "wrong dtype", "not finite", "wrong output" for a missing one) unless
    ``outputs`` is what the signature says. A symbolic dimension must be its value in ``symbols`` where that is given
    (a batch), and one value throughout.
    """
    bound = dict(symbols or {})
    for spec in signature.outputs:
        if spec.name not in outputs:
            have = ", ".join(outputs) or "none"
            raise _wrong(FailureKind.WRONG_OUTPUT, f"output {spec.name!r} is missing (there are: {have})")
        array = outputs[spec.name]
        shape = tuple(array.shape)
        fits = len(shape) == len(spec.shape) and all(
            bound.setdefault(want, have) == have if isinstance(want, str) else want == have
            for want, have in zip(spec.shape, shape, strict=True)
        )
        if not fits:
            wanted = [bound.get(d, d) if isinstance(d, str) else d for d in spec.shape]
            raise _wrong(FailureKind.WRONG_SHAPE, f"output {spec.name!r} has shape {list(shape)}, not {wanted}")
        if str(array.dtype) != spec.dtype:
            raise _wrong(FailureKind.WRONG_DTYPE, f"output {spec.name!r} is {array.dtype}, not {spec.dtype}")
        _finite(spec.name, array)


def compare_outputs(outputs: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], lossless: bool) -> float:
    """The largest difference relative to the reference's scale. Raises ``JobError`` where an output is not the
    reference's: "wrong shape", "wrong dtype" (another kind of number), "not finite" or "wrong output".

    ``lossless``: floats agree within ``LOSSLESS_TOLERANCE`` of the output's largest magnitude, whole numbers in all but
    1 % of places (an argmax may turn at a tie). Else: each float output correlates with the reference by at least
    ``LOSSY_FLOOR``, and does not stand still where the reference moves from sample to sample.
    """
    largest = 0.0
    for name, want in reference.items():
        if name not in outputs:
            raise _wrong(FailureKind.WRONG_OUTPUT, f"output {name!r} is missing")
        have = outputs[name]
        if have.shape != want.shape:
            raise _wrong(
                FailureKind.WRONG_SHAPE, f"output {name!r} has shape {list(have.shape)}, not {list(want.shape)}"
            )
        if _is_float(have) != _is_float(want):
            raise _wrong(FailureKind.WRONG_DTYPE, f"output {name!r} is {have.dtype}, not {want.dtype}")
        _finite(name, have)
        if want.size == 0:
            continue
        if not _is_float(want):
            if lossless and int((have != want).sum()) > int(_CODES * want.size):
                share = float((have != want).mean())
                raise _wrong(FailureKind.WRONG_OUTPUT, f"output {name!r} differs in {share:.1%} of its values")
            continue
        off = largest_difference(have, want)
        largest = max(largest, off)
        if lossless:
            if off > LOSSLESS_TOLERANCE:
                raise _wrong(
                    FailureKind.WRONG_OUTPUT,
                    f"output {name!r} is {off:.2g} of its scale away from the reference; "
                    f"float32 rounding explains {LOSSLESS_TOLERANCE:g}",
                )
        else:
            _related(name, have.astype(np.float64), want.astype(np.float64))
    return largest


def largest_difference(have: np.ndarray, want: np.ndarray) -> float:
    """max |have - want| / max |want|; absolute where the reference is all 0."""
    a, b = have.astype(np.float64), want.astype(np.float64)
    scale = float(np.abs(b).max(initial=0.0))
    return float(np.abs(a - b).max(initial=0.0)) / (scale or 1.0)


def _related(name: str, have: np.ndarray, want: np.ndarray) -> None:
    scale = float(np.abs(want).max())
    if float(want.std()) > _CONSTANT * scale:  # a reference that is one number everywhere correlates with nothing
        a, b = have.ravel() - have.mean(), want.ravel() - want.mean()
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        correlation = float(a @ b) / size if size else 0.0
        if correlation < LOSSY_FLOOR:
            raise _wrong(
                FailureKind.WRONG_OUTPUT,
                f"output {name!r} correlates with the reference by {correlation:.2f}; {LOSSY_FLOOR} is the least",
            )
    elif largest_difference(have, want) > 0.5:
        raise _wrong(FailureKind.WRONG_OUTPUT, f"output {name!r} is far from the reference")
    if len(want) > 1:
        moves, moved = float(want.std(axis=0).max()), float(have.std(axis=0).max())
        if moves > 1e-2 * scale and moved < _CONSTANT * moves:
            raise _wrong(FailureKind.WRONG_OUTPUT, f"output {name!r} is the same for every sample")


def _finite(name: str, array: np.ndarray) -> None:
    if _is_float(array):
        bad = int(array.size - np.isfinite(array).sum())
        if bad:
            raise _wrong(FailureKind.NOT_FINITE, f"output {name!r} holds {bad} values that are not finite numbers")


def _is_float(array: np.ndarray) -> bool:
    return bool(np.issubdtype(array.dtype, np.inexact))


def _wrong(kind: FailureKind, what: str) -> JobError:
    return job_error(kind, what)
