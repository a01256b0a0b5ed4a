"""Sizes with symbols, and shapes and their elements followed through a graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.native.reading import read
from speedwell.native.shapes import infer_all
from speedwell.native.sizes import Product, broadcast, difference, product, quotient, symbol, total

from .lowered import model_of

N, M = symbol("n"), symbol("m")
SIZES = st.one_of(
    st.integers(0, 12),
    st.builds(
        lambda c, f: product([c, *map(symbol, f)]), st.integers(1, 6), st.lists(st.sampled_from("abc"), max_size=3)
    ),
)


def value(size: object, **numbers: int) -> int:
    return (
        size.coefficient * int(np.prod([numbers[f] for f in size.factors])) if isinstance(size, Product) else int(size)
    )


@given(SIZES, SIZES, st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_products_and_quotients_hold_for_every_size(p: object, q: object, a: int, b: int, c: int) -> None:
    numbers = {"a": a, "b": b, "c": c}
    both = product([p, q])
    assert value(both, **numbers) == value(p, **numbers) * value(q, **numbers)
    part = quotient(both, q)
    if part is not None:
        assert value(part, **numbers) * value(q, **numbers) == value(both, **numbers)
    else:
        assert 0 in (p, q)


def test_what_is_not_certain_has_no_quotient() -> None:
    assert quotient(N, M) is None
    assert quotient(7, 2) is None
    assert quotient(product([6, N]), 4) is None
    assert quotient(product([6, N]), product([2, N])) == 3


def test_sums_are_the_same_for_the_same_parts() -> None:
    assert total(N, 1) == total(N, 1) != total(M, 1)
    assert total(N, 0) == N == difference(N, 0)
    assert difference(N, N) == 0


@pytest.mark.parametrize(
    ("shapes", "want"),
    [
        ([(N, 1, 3), (M, 3)], (N, M, 3)),
        ([(N,), (M,)], (None,)),
        ([(N,), (5,)], (5,)),
        ([(), (N, 1)], (N, 1)),
    ],
)
def test_broadcasting(shapes: list, want: tuple) -> None:
    assert broadcast(shapes) == want


def shape_of(tmp_path: Path, body: str, output: str = "y", **numbers: list[int]) -> list[str]:
    graph = f"g (float[b, s, 12] x, int64[b, s] ids) => (float[p] z) {{ {body} z = Identity(flat) }}"
    graph = graph.replace("z = Identity(flat)", f"flat = Cast<to = 1>({output}) z = Reshape(flat, line)")
    weights = {k: np.array(v) for k, v in (numbers | {"line": [-1]}).items()}
    onnx.save(model_of(graph, **weights), tmp_path / "m.onnx")
    made = read(tmp_path / "m.onnx")
    infer_all(made)
    infer_all(made)
    (found,) = (v for o in made.operators for v in o.outputs if v is not None and v.name == output)
    return [str(size) for size in found.shape or ()]


@pytest.mark.parametrize(
    ("body", "want"),
    [
        ("t = Reshape(x, heads) y = Transpose<perm = [0, 2, 1, 3]>(t)", ["b", "3", "s", "4"]),
        ("y = Reshape(x, rows)", ["b*s", "12"]),
        ("k = Shape<start = 0, end = 2>(x) n = Concat<axis = 0>(k, minus) y = Reshape(x, n)", ["b", "s", "12"]),
        ("y = Concat<axis = 1>(x, x)", ["b", "(s+s)", "12"]),
        ("y, u = Split<axis = 2, num_outputs = 2>(x)", ["b", "s", "6"]),
        ("y = Slice(x, from1, from7, two)", ["b", "s", "6"]),
        ("y = Slice(x, from1, end, one)", ["b", "(s-1)", "12"]),
        ("k = Shape<start = 1, end = 2>(x) y = Slice(table, zero, k, zero)", ["s", "7"]),
        ("y = Gather(table, ids)", ["b", "s", "7"]),
        ("y = ReduceMean(x, one)", ["b", "1", "12"]),
        ("k = Shape(ids) y = Expand(scalar, k)", ["b", "s"]),
        ("k = Shape<start = 1, end = 2>(x) n = Squeeze(k) y = Range(nought, n, single)", ["s"]),
        ("k = Shape<start = 1, end = 2>(x) n = Squeeze(k) m = Mul(n, two1) j = Unsqueeze(m, zero)"
         " c = Concat<axis = 0>(j, minus) y = Reshape(x, c)", ["2*s", "?"]),
    ],
)  # fmt: skip
def test_shapes_are_followed(tmp_path: Path, body: str, want: list[str]) -> None:
    numbers = {
        "heads": [0, 0, -1, 4], "rows": [-1, 12], "minus": [-1], "from1": [1], "from7": [7], "two": [2], "one": [1],
        "end": [2**63 - 1], "zero": [0], "scalar": [1.0], "nought": 0, "single": 1, "two1": 2,
        "table": np.zeros((64, 7)).tolist(),
    }  # fmt: skip
    used = {k: v for k, v in numbers.items() if k in body.replace("(", " ").replace(")", " ").replace(",", " ").split()}
    found = shape_of(tmp_path, body, **used)
    assert len(found) == len(want)
    assert all(w == "?" or f == w for f, w in zip(found, want, strict=True)), found
