"""Sizes that are not known yet: products of symbols, such as 3 * batch * sequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "Product", "Shape", "Size", "broadcast", "difference", "nameless", "product", "quotient", "same", "symbol", "total",
]  # fmt: skip


@dataclass(frozen=True)
class Product:
    """``coefficient`` times every symbol in ``factors`` (sorted, at least one)."""

    coefficient: int
    factors: tuple[str, ...]

    def __str__(self) -> str:
        parts = [] if self.coefficient == 1 else [str(self.coefficient)]
        return "*".join([*parts, *self.factors])


Size = int | Product
"""Two sizes that compare equal are equal at run time; two that differ may still turn out equal."""
Shape = tuple[Size, ...]


def symbol(name: str) -> Product:
    """An unknown size of that name."""
    return Product(1, (name,))


def nameless(size: Size) -> bool:
    """True where a part of ``size`` is a symbol that shape inference made up, so that it may be equal to any other."""
    return isinstance(size, Product) and any("?" in name or "unk__" in name for name in size.factors)


def product(sizes: Iterable[Size]) -> Size:
    """The sizes multiplied; 1 of none."""
    coefficient = 1
    factors: list[str] = []
    for size in sizes:
        coefficient *= size.coefficient if isinstance(size, Product) else size
        factors += size.factors if isinstance(size, Product) else ()
    return Product(coefficient, tuple(sorted(factors))) if factors and coefficient else coefficient


def quotient(whole: Size, part: Size) -> Size | None:
    """``whole / part`` where it is certain and has no rest (no symbol being 0)."""
    top = whole if isinstance(whole, Product) else Product(whole, ())
    bottom = part if isinstance(part, Product) else Product(part, ())
    left = Counter(top.factors)
    left.subtract(bottom.factors)
    if bottom.coefficient == 0 or top.coefficient % bottom.coefficient or any(n < 0 for n in left.values()):
        return None
    coefficient = top.coefficient // bottom.coefficient
    return product([coefficient, *(symbol(name) for name in left.elements())])


def total(a: Size, b: Size) -> Size:
    """``a + b``; the sum of unknown sizes is a symbol of its own, the same for the same sum."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if a == 0 or b == 0:
        return b if a == 0 else a
    return symbol(f"({a}+{b})")


def difference(a: Size, b: Size) -> Size:
    """``a - b``, in the same way."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    if a == b or b == 0:
        return 0 if a == b else a
    return symbol(f"({a}-{b})")


def same(a: Shape | None, b: Shape | None) -> bool:
    """True where the two are certain to be one shape."""
    return a is not None and a == b


def broadcast(shapes: Sequence[Shape]) -> tuple[Size | None, ...]:
    """numpy's rule; None for a size that is not certain. Sizes are taken to fit, since the network would fail else."""
    rank = max((len(s) for s in shapes), default=0)
    out: list[Size | None] = []
    for axis in range(-rank, 0):
        found = {s[axis] for s in shapes if len(s) >= -axis} - {1}
        known = [size for size in found if isinstance(size, int)]
        out.append(1 if not found else known[0] if known else found.pop() if len(found) == 1 else None)
    return tuple(out)
