"""How far two models' outputs are apart, and the one tolerance that "lossless" means here."""

from __future__ import annotations

import numpy as np

from ..core import Arrays
from ..core.errors import PromiseError

__all__ = ["ABSOLUTE", "RELATIVE", "require_close", "require_sound", "sqnr_db"]

RELATIVE = 1e-4
"""Of the reference output's largest magnitude. Float32 sums in another order differ by about sqrt(terms) * 6e-8 per
layer; 1e-4 leaves room for some hundred layers and is far below what any wrong rewrite does."""
ABSOLUTE = 1e-6


def require_close(name: str, reference: Arrays, product: Arrays) -> None:
    """Raise ``PromiseError`` unless every output agrees: max |a - b| <= RELATIVE * max |a| + ABSOLUTE.

    NaN and infinity must stand at the same places.
    """
    require_sound(name, reference, product, finite=False)
    for key, a in reference.items():
        b = product[key]
        if a.dtype.kind != "f":
            if not np.array_equal(a, b):
                raise PromiseError(f"{name} changed output {key!r}: {np.mean(a != b):.1%} of its values differ")
            continue
        finite = np.isfinite(a)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
            raise PromiseError(f"{name} changed output {key!r} where it is not finite")
        if not finite.any():
            continue
        bound = RELATIVE * float(np.abs(a[finite]).max()) + ABSOLUTE
        worst = float(np.abs(a[finite].astype(np.float64) - b[finite]).max())
        if not worst <= bound:
            raise PromiseError(f"{name} changed output {key!r} by {worst:.3g}, more than rounding allows ({bound:.3g})")


def require_sound(name: str, reference: Arrays, product: Arrays, *, finite: bool = True) -> None:
    """Raise ``PromiseError`` unless ``product`` has the reference's outputs, shapes and dtypes, and no new NaN."""
    if list(reference) != list(product):
        raise PromiseError(f"{name} changed the outputs from {list(reference)} to {list(product)}")
    for key, a in reference.items():
        b = product[key]
        if a.shape != b.shape or a.dtype != b.dtype:
            raise PromiseError(f"{name} changed output {key!r} from {a.dtype}{a.shape} to {b.dtype}{b.shape}")
        if finite and b.dtype.kind == "f" and np.isfinite(a).all() and not np.isfinite(b).all():
            raise PromiseError(f"{name} made output {key!r} non-finite")


def sqnr_db(reference: np.ndarray, noisy: np.ndarray) -> float:
    """Signal to quantization noise in dB: 10 log10(sum a^2 / sum (a - b)^2); infinity where equal."""
    a = reference.astype(np.float64)
    noise = float(np.square(a - noisy).sum())
    signal = float(np.square(a).sum())
    return float("inf") if noise == 0 else float(10 * np.log10(max(signal, 1e-30) / noise))
