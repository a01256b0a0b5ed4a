import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import BATCH, Signature, TensorSpec
from speedwell.core.errors import JobError
from speedwell.measure.checks import LOSSLESS_TOLERANCE, check_outputs, compare_outputs, largest_difference

SIGNATURE = Signature((), (TensorSpec("logits", "float32", (BATCH, 10)), TensorSpec("codes", "int64", (BATCH,))))


def outputs(n=4, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, 10)).astype(np.float32)
    return {"logits": logits, "codes": logits.argmax(1)}


def kind(call, *arguments, **options):
    with pytest.raises(JobError) as caught:
        call(*arguments, **options)
    return caught.value.kind


def test_right_outputs_pass():
    check_outputs(outputs(), SIGNATURE)
    check_outputs(outputs(), SIGNATURE, {BATCH: 4})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"logits": np.full((4, 10), np.nan, np.float32)}, "not finite"),
        ({"logits": np.full((4, 10), np.inf, np.float32)}, "not finite"),
        ({"logits": np.zeros((4, 9), np.float32)}, "wrong shape"),
        ({"logits": np.zeros((4, 10, 1), np.float32)}, "wrong shape"),
        ({"codes": np.zeros(3, np.int64)}, "wrong shape"),
        ({"logits": np.zeros((4, 10), np.float64)}, "wrong dtype"),
        ({"codes": np.zeros(4, np.int32)}, "wrong dtype"),
    ],
)
def test_each_fault_has_its_kind(change, expected):
    assert kind(check_outputs, {**outputs(), **change}, SIGNATURE) == expected


def test_a_wrong_batch_and_a_missing_output_are_told():
    assert kind(check_outputs, outputs(4), SIGNATURE, {BATCH: 8}) == "wrong shape"
    assert kind(check_outputs, {"logits": outputs()["logits"]}, SIGNATURE) == "wrong output"
    assert kind(compare_outputs, {}, outputs(), lossless=True) == "wrong output"


def test_float32_rounding_passes_and_a_fault_does_not():
    want = outputs(64)
    near = {**want, "logits": want["logits"] * np.float32(1 + 1e-5)}
    assert compare_outputs(near, want, lossless=True) == pytest.approx(1e-5, rel=0.1)
    far = {**want, "logits": want["logits"] + np.float32(5e-3)}
    assert kind(compare_outputs, far, want, lossless=True) == "wrong output"


def test_rounding_of_a_deep_network_stays_well_within_the_tolerance():
    rng = np.random.default_rng(2)
    x32 = rng.standard_normal((16, 256)).astype(np.float32)
    x64 = x32.astype(np.float64)
    for _ in range(60):
        w = (rng.standard_normal((256, 256)) / 16).astype(np.float32)
        x32, x64 = np.maximum(x32 @ w, 0) * np.float32(1.414), np.maximum(x64 @ w.astype(np.float64), 0) * 1.414
    assert largest_difference(x32, x64) < LOSSLESS_TOLERANCE / 10


def test_an_argmax_may_turn_at_a_tie_but_not_often():
    want = outputs(500)
    turned = {**want, "codes": want["codes"].copy()}
    turned["codes"][:4] += 1
    compare_outputs(turned, want, lossless=True)
    turned["codes"][:20] += 1
    assert kind(compare_outputs, turned, want, lossless=True) == "wrong output"


def test_a_quantized_network_passes_where_lossless_would_not():
    want = outputs(64)
    rough = {**want, "logits": (np.round(want["logits"] * 4) / 4).astype(np.float32)}
    compare_outputs(rough, want, lossless=False)
    assert kind(compare_outputs, rough, want, lossless=True) == "wrong output"


@pytest.mark.parametrize(
    "fault",
    [
        lambda x: np.zeros_like(x),
        lambda x: np.full_like(x, 3.0),
        lambda x: -x,
        lambda x: np.roll(x, 1, axis=1),
        lambda x: np.random.default_rng(9).standard_normal(x.shape).astype(np.float32),
        lambda x: np.repeat(x[:1], len(x), axis=0),
    ],
    ids=["zeros", "constant", "negated", "permuted classes", "noise", "one answer for all"],
)
def test_outputs_that_have_nothing_to_do_with_the_reference_are_wrong(fault):
    want = outputs(64)
    assert kind(compare_outputs, {**want, "logits": fault(want["logits"])}, want, lossless=False) == "wrong output"


def test_one_answer_for_all_is_seen_behind_a_large_common_part():
    rng = np.random.default_rng(3)
    common = 10 * rng.standard_normal(10)
    want = {"y": (common + rng.standard_normal((32, 10))).astype(np.float32)}
    have = {"y": np.repeat(common[None].astype(np.float32), 32, axis=0)}
    assert kind(compare_outputs, have, want, lossless=False) == "wrong output"


def test_shapes_kinds_and_finiteness_are_checked_against_the_reference_too():
    want = outputs()
    assert kind(compare_outputs, {**want, "logits": want["logits"][:2]}, want, lossless=True) == "wrong shape"
    assert (
        kind(compare_outputs, {**want, "logits": want["codes"]}, {**want, "logits": want["codes"] * 1.0}, lossless=True)
        == "wrong dtype"
    )
    bad = {**want, "logits": want["logits"] * np.float32(np.nan)}
    assert kind(compare_outputs, bad, want, lossless=False) == "not finite"


@given(st.floats(1e-6, 1e6), st.integers(0, 100))
def test_the_scale_of_the_outputs_does_not_matter(scale, seed):
    want = {"y": (outputs(8, seed)["logits"] * np.float32(scale)).astype(np.float32)}
    have = {"y": want["y"] * np.float32(1 + 1e-6)}
    assert compare_outputs(have, want, lossless=True) < 1e-5
