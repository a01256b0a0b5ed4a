"""Derive the polynomials of exp.h, activation.h, functions.h and attention/int8.h: `python coefficients.py > FILE`.

Each is near minimax: least squares on Chebyshev nodes, weighted again and again by its own error until that is level
(Lawson, 1961).
"""

import math
import textwrap

import numpy as np
from numpy.polynomial import Polynomial

Array = np.ndarray


def nodes(low: float, high: float, count: int = 2000) -> Array:
    """Chebyshev nodes of [low, high]."""
    angles = (np.arange(count) + 0.5) * np.pi / count
    return (low + high) / 2 - (high - low) / 2 * np.cos(angles)


def level(x: Array, target: Array, allowed: Array, degree: int) -> tuple[Array, float]:
    """The polynomial p, lowest power first, with |p(x) - target| <= e * allowed for a small e, and e."""
    middle, half = (x.max() + x.min()) / 2, (x.max() - x.min()) / 2
    powers = ((x - middle) / half)[:, None] ** np.arange(degree + 1)  # in [-1, 1]: well conditioned
    lawson = np.ones_like(x)
    best, least = np.zeros(degree + 1), math.inf
    for _ in range(400):
        weight = np.sqrt(lawson) / allowed
        p = np.linalg.lstsq(powers * weight[:, None], target * weight, rcond=None)[0]
        error = np.abs(powers @ p - target) / allowed
        if error.max() < least:
            best, least = p, float(error.max())
        lawson = lawson * (error / error.max() + 1e-3)
        lawson /= lawson.sum()
    return Polynomial(best)(Polynomial([-middle / half, 1 / half])).coef, least


def show(name: str, values: Array) -> None:
    """A C++ array of floats, lowest power first."""
    numbers = ", ".join(f"{np.float32(v):.8e}f" for v in values)
    print(textwrap.fill(f"constexpr float {name}[] = {{{numbers}}};", 120, subsequent_indent="    "))


def main() -> None:
    """Print coefficients.h."""
    print("// Made by coefficients.py, which says how. Lowest power first.\n#pragma once\n")
    print("namespace speedwell {\nnamespace coefficients {\n")

    r = nodes(-math.log(2) / 2, math.log(2) / 2)
    p, error = level(r, (np.exp(r) - 1 - r) / r**2, np.exp(r) / r**2, 4)
    print(f"// e^r = 1 + r + r^2 p(r) for |r| <= ln 2 / 2. Relative error {error:.1e}.")
    show("kExp", p)

    f = nodes(-0.5, 0.5)
    p, error = level(f, 255 * (2**f - 1) / f, 255 * np.abs(2**f / f), 2)
    print(f"\n// 255 2^f for |f| <= 1/2, 255 at 0. Relative error {error:.1e}.")
    show("kShare", np.concatenate([[255.0], p]))

    end = 0.625
    u = nodes(0, end**2)
    x = np.sqrt(u)
    p, error = level(u, (np.tanh(x) / x - 1) / u, np.tanh(x) / x / u, 4)
    print(f"\n// tanh x = x + x^3 p(x^2) for |x| <= kTanhEnd. Relative error {error:.1e}.")
    print(f"constexpr float kTanhEnd = {end}f;")
    show("kTanh", p)

    end = 6.0
    t = nodes(0, end)
    lost = t * np.array([math.erfc(v / math.sqrt(2)) for v in t]) / 2
    shape = t * (end - t) ** 6
    p, error = level(t, lost / shape, 1 / shape, 11)
    print(
        "\n// x (1 - Phi(x)), which gelu takes off max(x, 0), = x (kGeluEnd - x)^6 p(x) for 0 <= x <= kGeluEnd; past it"
    )
    print(f"// nothing is left. Error {error:.1e}.")
    print(f"constexpr float kGeluEnd = {end}f;")
    show("kGelu", p)

    f = nodes(math.sqrt(0.5) - 1, math.sqrt(2) - 1)
    p, error = level(f, (np.log1p(f) - f + f**2 / 2) / f**3, np.abs(np.log1p(f) / f**3), 7)
    print(f"\n// log(1 + f) = f - f^2 / 2 + f^3 p(f) for sqrt(1/2) <= 1 + f <= sqrt(2). Relative error {error:.1e}.")
    show("kLog", p)

    near = 1.0
    u = nodes(0, near**2)
    x = np.sqrt(u)
    erf = np.array([math.erf(v) for v in x])
    p, error = level(u, erf / x - 1, erf / x, 6)
    print(f"\n// erf x = x + x p(x^2) for |x| <= kErfNear. Relative error {error:.1e}.")
    print(f"constexpr float kErfNear = {near}f;")
    show("kErf", p)

    end = 3.925
    x = nodes(near, end)
    erfc = np.array([math.erfc(v) for v in x])
    p, error = level(x, -np.log(erfc), (1 - erfc) / erfc, 5)
    print(f"\n// erf x = 1 - e^-p(x) for kErfNear <= x <= kErfEnd, past which it is 1. Relative error {error:.1e}.")
    print(f"constexpr float kErfEnd = {end}f;")
    show("kErfFar", p)
    print("\n}  // namespace coefficients\n}  // namespace speedwell")


if __name__ == "__main__":
    main()
