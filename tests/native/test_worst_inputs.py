"""The inputs that drive 16-bit sums to their ends, for every integer layer of every network of the list: exact there.

The largest and the smallest value of each lane of each run, from the real weights and the order the planner chose; the
rows that attain them through the AVX2 kernels, beside random ones, against sums of integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from speedwell.native import supported_isas
from speedwell.native.runs import plan_runs

from .product_plans import UNIT, product, sums
from .worst_rows import NETWORKS, Layer, attained, layers, reaches, worst_rows

pytestmark = pytest.mark.skipif(
    "avx2" not in supported_isas(), reason="only AVX2 adds in 16 bits, and this CPU lacks it"
)
TOGETHER = 4096
"""Rows in one product."""


def require_exact(layer: Layer, high: int, folder: Path) -> float:
    """Returns how full the fullest lane is, of the 65,535 that it may reach."""
    weight, where = layer.weight, f"{layer.name}, activations up to {high}"
    runs = plan_runs(weight, high)
    assert runs is not None, where
    n, k = weight.shape
    rows = worst_rows(weight, high)
    tops, bottoms = reaches(weight, high, runs)
    for found, bounds in ((attained(weight, rows[:n], runs), tops), (attained(weight, rows[n:], runs), bottoms)):
        for got, want in zip(found, bounds, strict=True):
            np.testing.assert_array_equal(got, want, f"{where}: the rows are not the worst ones")
    fullest = max(int((top - bottom).max()) for top, bottom in zip(tops, bottoms, strict=True))
    assert fullest <= 65535, where
    rng = np.random.default_rng([n, k, high])
    ends = np.stack([np.zeros(k), np.full(k, high)])
    rows = np.concatenate([rows, ends, rng.integers(0, high + 1, (60, k)), rng.choice([0, high], (30, k))])
    for start in range(0, len(rows), TOGETHER):
        a = rows[start : start + TOGETHER].astype(np.uint8)
        want = (a.astype(np.float64) @ weight.T.astype(np.float64)).astype(np.int64)  # whole numbers, far below 2^53
        assert np.abs(want).max() < 1 << 24, f"{where}: float32 would round this"
        got = product(folder, a, weight, isa="avx2", threads=2, runs=runs, input=UNIT | {"high": high})
        np.testing.assert_array_equal(got.astype(np.int64), want, where)
    return fullest / 65535


@pytest.mark.parametrize("high", [255, 127])
def test_the_first_products_of_a_trained_network_are_exact(high: int, tmp_path: Path) -> None:
    fullest = [require_exact(layer, high, tmp_path) for layer in islice(layers("minilm"), 4)]
    assert min(fullest) > 0.97, "the runs stop short of what is allowed, so this shows little"


def test_a_patch_embedding_and_a_head_are_exact(tmp_path: Path) -> None:
    found = [layer for layer in layers("deit-tiny") if "." not in layer.name]
    assert [layer.name for layer in found] == ["patches", "head"]
    for layer in found:
        require_exact(layer, 127, tmp_path)


def of_list(network: str) -> Iterator[tuple[Layer, tuple[int, ...]]]:
    """Each layer with the largest activations to try: both where the weights are trained, else one in turn."""
    for i, layer in enumerate(layers(network)):
        yield layer, (255, 127) if network == "minilm" else ((255, 127)[(i + i // 4) % 2],)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_every_layer_of_every_network_of_the_list_is_exact(network: str, tmp_path: Path) -> None:
    shape, count = NETWORKS[network], 0
    for layer, highs in of_list(network):
        for high in highs:
            assert require_exact(layer, high, tmp_path) > 0.9
        count += 1
    assert count == 4 * shape.depth + len(shape.first) + len(shape.last)


def test_the_reference_is_that_of_the_other_tests(tmp_path: Path) -> None:
    layer = next(layers("deit-tiny"))
    rows = worst_rows(layer.weight, 255)[:7]
    want = product(tmp_path, rows, layer.weight, isa="scalar", input=UNIT)
    np.testing.assert_array_equal(want, sums(rows, layer.weight).astype(np.float32))
