"""Runs in 16 bits: what the planner finds never overflows, the executor proves it again, and sums stay exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import PlanError
from speedwell.native import supported_isas
from speedwell.native.runs import PANEL, plan_runs

from .plans import Step, run_steps
from .product_plans import UNIT, product, sums

ISAS = supported_isas()


def normal_weights(n: int, k: int, seed: int = 0, deviation: float = 18.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(np.rint(rng.normal(scale=deviation, size=(n, k))), -63, 63).astype(np.int8)


def lane_reaches(weight: np.ndarray, order: np.ndarray, lengths: np.ndarray) -> list[int]:
    """Sum of |w| of every run and lane, computed the slow way."""
    n, k = weight.shape
    padded = np.zeros((len(order) * PANEL, order.shape[1] * 4), np.int64)
    padded[:n, :k] = weight
    found = []
    for panel, (row, sizes) in enumerate(zip(order, lengths, strict=True)):
        at = 0
        for size in sizes[sizes > 0]:
            quads = row[at : at + size]
            at += size
            for column in range(PANEL):
                taken = padded[panel * PANEL + column].reshape(-1, 2, 2)[quads]
                found += [int(np.abs(taken[:, lane]).sum()) for lane in range(2)]
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 200), st.sampled_from([127, 255]), st.integers(0, 1000),
    st.sampled_from([1.0, 18.0, 60.0]),
)  # fmt: skip
def test_every_run_of_every_plan_fits(n, k, high, seed, deviation):
    weight = normal_weights(n, k, seed, deviation)
    runs = plan_runs(weight, high)
    assert runs is not None
    assert (np.sort(runs.order, 1) == np.arange(-(-k // 4))).all()
    assert (runs.lengths.sum(1) == runs.order.shape[1]).all()
    assert max(lane_reaches(weight, runs.order, runs.lengths)) * high <= 65535
    assert sum(runs.shares().values()) == pytest.approx(1)


def test_trained_like_weights_get_long_runs():
    weight = normal_weights(384, 384)
    eight, seven = plan_runs(weight, 255), plan_runs(weight, 127)
    assert eight is not None
    assert seven is not None
    assert eight.mean > 4
    assert seven.mean > 2 * eight.mean * 0.9


def test_pairs_that_saturate_get_no_runs():
    weight = np.full((16, 8), 127, np.int8)
    assert plan_runs(weight, 255) is None
    assert plan_runs(weight, 127) is not None


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("high", [127, 255])
@pytest.mark.parametrize(("m", "k", "n"), [(1, 4, 16), (6, 384, 64), (7, 385, 33), (13, 1536, 17), (50, 63, 80)])
def test_sums_in_runs_are_exact(tmp_path, isa, high, m, k, n):
    rng = np.random.default_rng([m, k, n])
    weight = normal_weights(n, k)
    a = rng.integers(0, high + 1, (m, k), dtype=np.uint8)
    got = product(tmp_path, a, weight, isa=isa, threads=2, runs=plan_runs(weight, high), input=UNIT | {"high": high})
    np.testing.assert_array_equal(got, sums(a, weight).astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("high", [127, 255])
def test_the_worst_input_of_each_column_is_exact(tmp_path, isa, high):
    """The largest activation wherever the weight is positive (then: negative), for each column in turn."""
    weight = normal_weights(48, 384, deviation=30)
    a = np.concatenate([np.where(weight > 0, high, 0), np.where(weight < 0, high, 0)]).astype(np.uint8)
    got = product(tmp_path, a, weight, isa=isa, runs=plan_runs(weight, high), input=UNIT | {"high": high})
    np.testing.assert_array_equal(got, sums(a, weight).astype(np.float32))


def changed(what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weight = normal_weights(16, 64)
    runs = plan_runs(weight, 255)
    assert runs is not None
    order, lengths = runs.order.copy(), runs.lengths.copy()
    if what == "twice":
        order[0, 0] = order[0, 1]
    elif what == "outside":
        order[0, 0] = 16
    elif what == "negative":
        order[0, 0] = -1
    elif what == "short":
        lengths[0, np.flatnonzero(lengths[0])[-1]] -= 1
    elif what == "long":
        lengths[0, 0] += 1
    elif what == "below zero":
        lengths[0, 0] = -1
    elif what == "overflow":
        lengths = np.array([[16]], np.int32)
    elif what == "shape":
        order = order[:, :-1].copy()
    elif what == "saturates":
        weight[3] = 127
    return weight, order, lengths


@pytest.mark.skipif("avx2" not in ISAS, reason="only AVX2 reads runs, and this CPU lacks it")
@pytest.mark.parametrize(
    "what", ["twice", "outside", "negative", "short", "long", "below zero", "overflow", "shape", "saturates"]
)
def test_a_plan_whose_runs_are_not_proven_is_refused(tmp_path, what):
    weight, order, lengths = changed(what)
    a = np.zeros((2, 64), np.uint8)
    runs = type("Claimed", (), {"order": order, "lengths": lengths})()
    with pytest.raises(PlanError, match=r"run|order|permutation|lengths|saturate"):
        product(tmp_path, a, weight, isa="avx2", runs=runs, input=UNIT)


def chained(made: dict, claim: int, between: str = "") -> None:
    """A plan whose product claims that bytes stay up to ``claim``, opened; ``made``: who makes them."""
    steps = [Step(made["kind"], ["x", *made.get("more", [])], ["q"], made["attributes"])]
    if between:
        steps.append(Step(between, ["q"], ["moved"], {"perm": [0, 1]} if between == "Transpose" else {}))
    read = steps[-1].outputs[0]
    steps.append(
        Step("gemm_int8", [read, "w", "s"], ["y"], {"input": {"scale": 1.0, "zero": 0, "low": 0, "high": claim}})
    )
    weight = normal_weights(16, 16)
    held = {"w": weight, "s": np.ones(16, np.float32)}
    run_steps(steps, {"x": np.zeros((2, 16), np.float32)}, held, ["y"])


QUANTIZE = {"kind": "quantize", "attributes": {"scale": 1.0, "zero": 0, "low": 0, "high": 200}}
PRODUCT = {
    "kind": "gemm_int8",
    "more": ["w", "s"],
    "attributes": {"input": {"rows": 255}, "out": QUANTIZE["attributes"]},
}


@pytest.mark.parametrize("made", [QUANTIZE, PRODUCT], ids=["quantize", "out"])
@pytest.mark.parametrize("between", ["", "Identity", "Transpose"])
def test_a_product_may_not_count_on_less_than_its_bytes_may_reach(made, between):
    for claim in (200, 255):
        chained(made, claim, between)
    with pytest.raises(PlanError, match="counts on bytes up to 199, what it reads may reach 200"):
        chained(made, 199, between)


def test_bytes_of_no_known_quantization_may_reach_everything():
    cast = {"kind": "Cast", "attributes": {"to": 2}}
    chained(cast, 255)
    with pytest.raises(PlanError, match="may reach 255"):
        chained(cast, 127)
