"""A plan explained: what each operator holds, moves and takes; and how that looks in 80 columns."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speedwell.core import encode
from speedwell.core.errors import EngineError, InputMismatchError, PlanError
from speedwell.native import Explanation, Plan, explain, lower, supported_isas, write_plan
from speedwell.native.plan import Constant, Input, Operator, Output
from speedwell.testing.engine_models import NETWORKS, dynamic_int8, static_int8

TEXTS = NETWORKS[1]


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    lower(static_int8(TEXTS, folder).payload, folder / "plan")
    return folder / "plan"


@pytest.fixture(scope="module")
def explained(static: Path) -> Explanation:
    return explain(static, {"input_ids": (2, 20)}, source="texts.onnx", lowered_seconds=0.25)


def head(folder: Path, rows: int, weight: np.ndarray) -> Path:
    """y = x by weight, int8, then a table of rows of y."""
    plan = Plan(
        6, (Input("x", 0, "float32", (rows, weight.shape[1])),), (Output("t", 5),),
        (Constant(1, "w"), Constant(2, "s"), Constant(4, "pick")),
        (
            Operator("gemm_int8", "head", (0, 1, 2), (3,), {"input": {"rows": 255}}),
            Operator("Gather", "rows", (3, 4), (5,), {"axis": 0}),
        ),
    )  # fmt: skip
    tensors = {"w": weight, "s": np.ones(len(weight), np.float32), "pick": np.array([0], np.int64)}
    write_plan(folder, plan, tensors)
    return folder


def test_bytes_and_multiply_adds_are_counted_exactly(tmp_path: Path) -> None:
    found = explain(head(tmp_path, 3, np.ones((8, 10), np.int8)))
    product, gather = found.operators
    assert (product.kind, product.name, product.multiply_adds) == ("gemm_int8", "head", 3 * 8 * 10)
    assert (product.weight_bytes, product.read_bytes, product.written_bytes) == (8 * 10 + 8 * 4, 3 * 10 * 4, 3 * 8 * 4)
    assert product.mean_run == 1.0  # no runs planned: every quad is widened
    assert (gather.mean_run, gather.multiply_adds, gather.read_bytes, gather.written_bytes) == (None, 0, 96, 32)
    assert found.shapes == {"x": (3, 10)}
    assert found.bound == 0
    assert found.run_shares == {1: 1.0}
    assert all(o.estimated > 0 and o.measured >= 0 for o in found.operators)


@pytest.mark.parametrize("isa", supported_isas())
def test_every_instruction_set_can_be_explained(static: Path, isa: str) -> None:
    found = explain(static, {"input_ids": (1, 6)}, isa=isa)
    assert found.isa == isa
    assert found.widens == (isa == "avx2")
    assert len(found.products) > 3
    for product in found.products:
        assert product.multiply_adds == product.rows * product.widening.columns * product.widening.depth
        assert product.rows in (1, 6)
    assert sum(found.run_shares.values()) == pytest.approx(1)
    work = sum(p.multiply_adds for p in found.products)
    assert work == sum(o.multiply_adds for o in found.operators if o.kind == "gemm_int8")


def test_the_dynamic_and_the_float_form_are_explained_too(tmp_path: Path) -> None:
    for name, model in (("dynamic", dynamic_int8(TEXTS, tmp_path)), ("float", TEXTS.make("onnx", tmp_path))):
        lower(model.payload, tmp_path / name)
        found = explain(tmp_path / name)
        assert bool(found.products) == (name == "dynamic")
        assert bool(found.rates.int8) == (name == "dynamic")
        assert ("T by layer" in found.text) == (name == "dynamic")
    assert all(o.mean_run is None for o in found.operators)
    products = [o for o in found.operators if o.kind in ("gemm_float", "MatMul")]
    assert products
    assert all(o.multiply_adds for o in products)


def test_attention_counts_scores_and_values(tmp_path: Path) -> None:
    qkv = tuple(
        Input(name, i, "float32", (3, size, 8)) for i, (name, size) in enumerate((("q", 5), ("k", 7), ("v", 7)))
    )
    attributes = {"heads": 2, "head_dim": 4, "scale": 0.5, "q_offset": 0, "k_offset": 0, "v_offset": 0}
    step = Operator("attention", "a", (0, 1, 2), (3,), attributes)
    write_plan(tmp_path, Plan(4, qkv, (Output("y", 3),), (), (step,)), {})
    explained = explain(tmp_path)
    (found,) = explained.operators
    assert explained.rates.attention > 0
    assert explained.rates.float32 == 0  # there is no product to estimate
    assert "attention of the plan's largest size" in " ".join(explained.text.split())
    assert found.multiply_adds == 3 * 2 * (5 * 7 * 4) * 2  # batch, heads, a product of q and k, and one with v
    assert found.read_bytes == 3 * (5 + 7 + 7) * 8 * 4


def test_sizes_that_were_chosen_are_said_and_sizes_that_were_asked_for_are_not(
    static: Path, explained: Explanation
) -> None:
    assert explained.shapes["attention_mask"] == (2, 20)
    assert explained.chosen == {}
    assert "chosen" not in explained.text
    chosen = explain(static)
    assert chosen.shapes["input_ids"] == (1, 128)
    assert "batch = 1, sequence = 128 chosen here" in " ".join(chosen.text.split())
    assert "--shape input_ids=1x128" in chosen.text


def test_it_fits_80_columns_in_plain_ascii(static: Path, explained: Explanation) -> None:
    long = tuple(
        replace(o, name="/encoder/" * 12 + o.name, kind="AVeryLongKindOfOperator") for o in explained.operators
    )
    several = replace(explained, operators=long, source="folder/" * 20, notes=("it is not confirmed " * 8,))
    slow = replace(several, operators=tuple(replace(o, measured=12.5, weight_bytes=10**13) for o in long))
    for one in (explained, several, slow, explain(static, isa="scalar")):
        for line in one.text.splitlines():
            assert len(line) <= 80, line
            assert line.isascii()
            assert line == line.rstrip()


def test_every_operator_is_in_the_table_once_with_its_number_and_its_name(explained: Explanation) -> None:
    table = explained.text.split("\n\n")[1]
    numbers = re.findall(r"^ *(\d+) (\S+)", table, re.MULTILINE)
    assert [(int(n), kind) for n, kind in numbers[: len(explained.operators)]] == [
        (i, o.kind) for i, o in enumerate(explained.operators)
    ]
    for o in explained.operators:
        assert o.name[-20:] in table
    assert f"{explained.bound} more cost nothing" in table
    assert explained.bound > 0


def test_every_product_has_its_t_and_the_shares_are_a_histogram(explained: Explanation) -> None:
    text = explained.text
    layers = text.split("T by layer")[1].split("Share of the int8")[0]
    for product in explained.products:
        w = product.widening
        assert re.search(rf"{w.name[-20:]} +{product.rows} x {w.columns} x {w.depth} +{w.mean:.1f} ", layers)
    drawn = re.findall(r"^  ([\d a-z]+?) +([\d.]+) %", text.split("multiply-adds by T\n")[1], re.MULTILINE)
    assert sum(float(share) for _, share in drawn) == pytest.approx(100, abs=1)


def test_the_foot_says_how_the_estimates_were_made(explained: Explanation) -> None:
    foot = " ".join(explained.text.split("\n\n")[-1].split())
    assert f"at {explained.rates.int8 / 1e9:.0f} GMAC/s" in foot
    assert f"{explained.rates.weights.bandwidth / 1e9:.0f} GB/s" in foot
    assert f"best of {explained.runs} runs" in foot


def test_it_is_json_with_all_of_it(explained: Explanation) -> None:
    told = json.loads(json.dumps(encode(explained)))
    assert told["isa"] == explained.isa
    assert len(told["operators"]) == len(explained.operators)
    first = told["operators"][0]
    assert {"kind", "name", "mean_run", "weight_bytes", "read_bytes", "written_bytes", "estimated"} <= set(first)
    assert {"dtype", "shape", "bytes", "home", "at"} == set(first["outputs"][0])
    assert told["run_shares"] == {str(t): share for t, share in explained.run_shares.items()}
    assert told["products"][0]["widening"]["shares"]


def test_sizes_and_plans_that_cannot_be_are_said(static: Path, tmp_path: Path) -> None:
    with pytest.raises(InputMismatchError, match="no input 'ids'"):
        explain(static, {"ids": (1, 2)})
    with pytest.raises(EngineError, match="no memory"):
        explain(static, {"input_ids": (1 << 16, 1 << 20)})
    with pytest.raises(PlanError):
        explain(tmp_path)
