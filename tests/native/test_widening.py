"""T by layer: what the lowering says of its runs, read back from any plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import PlanError
from speedwell.native import LowerOptions, Plan, lower, read_plan
from speedwell.native.plan import Constant, Input, Operator, Output
from speedwell.native.plan_folder import read_tensors
from speedwell.native.runs import plan_runs
from speedwell.native.widening import Widening, shares_by_length, widenings
from speedwell.testing.engine_models import NETWORKS, static_int8

from .lowered import integers


def one_product(weight: np.ndarray, order: np.ndarray | None, lengths: np.ndarray | None) -> tuple[Widening, ...]:
    arrays = {"w": weight, "s": np.ones(len(weight), np.float32)}
    inputs = [0, 1, 2]
    if order is not None and lengths is not None:
        arrays |= {"order": order, "runs": lengths}
        inputs += [-1, -1, 3, 4]
    constants = tuple(Constant(i, name) for i, name in enumerate(arrays, 1))
    product = Operator("gemm_int8", "head", tuple(inputs), (5,), {"input": {"rows": 255}})
    plan = Plan(6, (Input("x", 0, "float32", (1, weight.shape[1])),), (Output("y", 5),), constants, (product,))
    return widenings(plan, lambda names: {name: arrays[name] for name in names})


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 120), st.sampled_from([127, 255]), st.integers(0, 99))
def test_shares_add_up_and_the_mean_is_quads_by_runs(n: int, k: int, high: int, seed: int) -> None:
    weight = integers(n, k, seed=seed)
    runs = plan_runs(weight, high)
    assert runs is not None
    (found,) = one_product(weight, runs.order, runs.lengths)
    assert (found.columns, found.depth, found.planned, found.operator) == (n, k, True, 0)
    assert sum(found.shares.values()) == pytest.approx(1)
    per_run = sum(share / length for length, share in found.shares.items())  # runs by quads
    assert found.mean == pytest.approx(1 / per_run)
    assert min(found.shares) <= found.mean <= max(found.shares)


def test_a_product_without_runs_widens_every_quad() -> None:
    (found,) = one_product(integers(4, 8, reach=127), None, None)
    assert (found.planned, found.mean, found.shares) == (False, 1.0, {1: 1.0})


@pytest.mark.parametrize(
    ("order", "lengths"),
    [
        ([[0, 1]], [[1, 2]]),
        ([[0, 1]], [[3, -1]]),
        ([[0, 1]], [[1, 1], [1, 1]]),
        ([0, 1], [2]),
    ],
    ids=["too many", "negative", "of more panels", "flat"],
)
def test_runs_that_do_not_add_up_are_refused_on_every_cpu(order: list, lengths: list) -> None:
    with pytest.raises(PlanError, match="head"):
        one_product(integers(4, 8), np.array(order, np.int32), np.array(lengths, np.int32))


def test_runs_of_another_type_and_a_weight_that_is_none_are_refused() -> None:
    with pytest.raises(PlanError, match="runs"):
        one_product(integers(4, 8), np.array([[0, 1]]), np.array([[2]]))
    with pytest.raises(PlanError, match="weight"):
        one_product(np.zeros((2, 2, 2), np.int8), None, None)


def test_shares_are_weighted_by_the_work() -> None:
    short, long = (Widening(i, "", 1, 1, True, float(t), {t: 1.0}) for i, t in enumerate((2, 8)))
    assert shares_by_length([(short, 1), (long, 3)]) == {2: 0.25, 8: 0.75}
    assert shares_by_length([]) == {}
    assert shares_by_length([(short, 0)]) == {}


def test_the_lowering_says_t_of_every_int8_product_and_the_plan_says_the_same(tmp_path: Path) -> None:
    model = static_int8(NETWORKS[1], tmp_path)
    facts = lower(model.payload, tmp_path / "plan")
    assert len(facts.products) == facts.operators["gemm_int8"] > 3
    assert all(product.planned and product.mean > 1 for product in facts.products)
    assert sum(facts.run_shares.values()) == pytest.approx(1)
    assert max(facts.run_shares) > 1
    plan = read_plan(tmp_path / "plan")
    again = widenings(plan, lambda names: read_tensors(tmp_path / "plan", names))
    assert again == facts.products
    without = lower(model.payload, tmp_path / "plan", LowerOptions(runs=False))
    assert without.run_shares == {1: 1.0}
    assert not any(product.planned for product in without.products)


def test_a_float_network_has_no_t(tmp_path: Path) -> None:
    facts = lower(NETWORKS[1].make("onnx", tmp_path).payload, tmp_path / "plan")
    assert facts.products == ()
    assert facts.run_shares == {}


def test_a_folder_that_is_no_plan_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plan\.json"):
        read_plan(tmp_path)
    (tmp_path / "plan.json").write_text("[" * 100_000)
    with pytest.raises(PlanError, match=r"plan\.json"):
        read_plan(tmp_path)
    (tmp_path / "plan.json").write_text("7")
    with pytest.raises(PlanError):
        read_plan(tmp_path)
    with pytest.raises(PlanError, match="weights"):
        read_tensors(tmp_path, ["w"])
    (tmp_path / "weights.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(PlanError, match="weights"):
        read_tensors(tmp_path, ["w"])
