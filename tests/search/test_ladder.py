from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import (
    ENGINES,
    ESTIMATES,
    FLOAT,
    ONNX,
    OWN,
    PASSES,
    TORCH,
    World,
    judgements_of,
    kind,
    lossless_start,
    next_of,
    outcome,
    static,
)

from speedwell.core import Candidate, Failure, FailureKind, Outcome, Step
from speedwell.search import PassOffer, Space, plan


def search(world: World, budget: float, start: list[Outcome] | None = None) -> list[Outcome]:
    outcomes = list(start or [])
    while True:
        left = budget - sum(o.seconds for o in outcomes)
        proposal = next_of(world.space, outcomes, left)
        if proposal is None:
            return outcomes
        assert len(outcomes) < 300, "the search does not end"
        outcomes.append(world.run(proposal.candidate, len(outcomes)))


def sequence(outcomes: list[Outcome]) -> list[str]:
    return [o.candidate.label for o in outcomes]


def test_the_original_comes_first_then_what_costs_no_accuracy_then_what_costs_little() -> None:
    tried = search(World(TORCH, 3), 10_000.0)
    have = sequence(tried)
    assert have[:3] == ["eager", "to_onnx > fuse on onnxruntime", "to_onnx > fuse on openvino"]
    first_lossy = next(i for i, o in enumerate(tried) if not TORCH.lossless(o.candidate))
    assert have.index("inductor") < first_lossy, "with so much time even what compiles long is tried before"


def test_what_compiles_long_waits_where_time_is_short_and_is_left_out_where_it_does_not_fit() -> None:
    start = [outcome(TORCH.original)]
    expected = plan(TORCH, start, judgements_of(TORCH, start), 150.0, ESTIMATES)
    order = [p.candidate.label for p in (expected.next, *expected.waiting) if p is not None]
    assert order.index("inductor") > order.index("to_onnx > fuse > quantize_dynamic on openvino")
    short = plan(TORCH, start, judgements_of(TORCH, start), 40.0, ESTIMATES)
    assert all(p.candidate.engine != "inductor" for p in short.waiting)
    reasons = {r.candidate.label: r.reason for r in short.skipped}
    assert "40 s are left" in reasons["inductor"]


def test_nothing_is_proposed_that_does_not_fit() -> None:
    assert next_of(TORCH, [outcome(TORCH.original)], 1.0) is None


def test_without_a_measured_original_nothing_more_is_tried() -> None:
    failed = outcome(TORCH.original, failure=Failure(FailureKind.CRASH, "time", "x"))
    assert plan(TORCH, [failed], {}, 600.0, ESTIMATES).next is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.2, 0.6]), st.floats(30, 2000), st.sampled_from([TORCH, ONNX]))
def test_a_resumed_search_goes_on_as_if_it_had_never_stopped(
    seed: int, failing: float, budget: float, space: Space
) -> None:
    world = World(space, seed, failing)
    whole = search(world, budget)
    keys = [o.candidate.key for o in whole]
    assert len(set(keys)) == len(keys), "no candidate twice"
    assert all(space.refusal(o.candidate) == "" for o in whole)
    for cut in {1, len(whole) // 3, len(whole) - 1} & set(range(len(whole))):
        assert sequence(search(world, budget, whole[:cut])) == sequence(whole)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_with_time_enough_the_best_safe_speed_of_every_engine_and_precision_is_found(seed: int) -> None:
    world = World(TORCH, seed)
    tried = search(world, 1e9)
    judged = judgements_of(TORCH, tried)
    best = max([1.0, *(j.ratio for j in judged.values() if j.safe and j.ratio)])
    everything = [world.run(c, i) for i, c in enumerate(TORCH.candidates)]
    brute = max([1.0, *(j.ratio for j in judgements_of(TORCH, everything).values() if j.safe and j.ratio)])
    assert best >= 0.97 * brute


def test_the_method_that_kept_accuracy_on_one_engine_is_tried_first_on_the_other() -> None:
    outcomes = [
        *lossless_start(),
        outcome(static("minmax", "openvino"), 2.0, 0.85, number=6),
        outcome(static("percentile", "openvino"), 2.0, 0.899, number=7),
    ]
    proposal = next_of(ONNX, outcomes)
    assert proposal is not None
    assert proposal.candidate == static("percentile", "onnxruntime")
    assert "kept the promise on openvino" in proposal.why


def test_methods_of_one_speed_are_not_tried_once_one_of_them_holds() -> None:
    outcomes = [*lossless_start(), outcome(static("minmax", "openvino"), 2.0, 0.899, number=6)]
    expected = plan(ONNX, outcomes, judgements_of(ONNX, outcomes), 600.0, ESTIMATES)
    proposed = [p.candidate for p in (expected.next, *expected.waiting) if p is not None]
    assert static("mse", "openvino") not in proposed
    assert static("minmax", "onnxruntime") in proposed
    reasons = {r.candidate.key: r.reason for r in expected.skipped}
    assert "2.00x is there already" in reasons[static("mse", "openvino").key]


def test_an_engine_that_hangs_twice_is_left_alone() -> None:
    hang = Failure(FailureKind.TIMEOUT, "compile", "planted")
    outcomes = [
        outcome(ONNX.original, lossless=True),
        outcome(Candidate((Step("fuse"),), "onnxruntime"), 1.1, lossless=True),
        outcome(Candidate((Step("fuse"),), "openvino"), failure=hang),
        outcome(Candidate((), "openvino"), failure=hang),
    ]
    expected = plan(ONNX, outcomes, judgements_of(ONNX, outcomes), 600.0, ESTIMATES)
    assert all(p.candidate.engine != "openvino" for p in (expected.next, *expected.waiting) if p is not None)
    assert any("openvino failed 2 times" in r.reason for r in expected.skipped)


@pytest.mark.parametrize("lacking", [1, 2])
def test_an_engine_that_lacks_operators_is_not_asked_again_with_quantized_forms(lacking: int) -> None:
    lacks = Failure(FailureKind.UNSUPPORTED, "compile", "unsupported: Conv")
    forms = [Candidate((Step("fuse"),), "openvino"), Candidate((), "openvino")]
    outcomes = [
        outcome(ONNX.original, lossless=True),
        outcome(Candidate((Step("fuse"),), "onnxruntime"), 1.1, lossless=True),
        *[outcome(form, failure=lacks) for form in forms[:lacking]],
    ]
    expected = plan(ONNX, outcomes, judgements_of(ONNX, outcomes), 600.0, ESTIMATES)
    asked = [
        p.candidate for p in (expected.next, *expected.waiting) if p is not None and p.candidate.engine == "openvino"
    ]
    # Fusing may bring the operator that is missing, so one refusal is not enough.
    assert (forms[1] in asked) == (lacking == 1)
    assert bool(asked) == (lacking == 1)
    assert any("does not run this network: unsupported: Conv" in r.reason for r in expected.skipped) == (lacking == 2)


def test_where_the_fused_network_fails_the_plain_one_is_tried() -> None:
    outcomes = [
        outcome(ONNX.original, lossless=True),
        outcome(Candidate((Step("fuse"),), "onnxruntime"), 1.1, lossless=True),
        outcome(Candidate((Step("fuse"),), "openvino"), failure=Failure(FailureKind.WRONG_OUTPUT, "check", "x")),
    ]
    proposal = next_of(ONNX, outcomes)
    assert proposal is not None
    assert proposal.candidate == Candidate((), "openvino")


def test_steps_that_cannot_be_built_are_not_built_again_for_another_engine() -> None:
    broken = Failure(FailureKind.ERROR, "build", "fuse fails")
    outcomes = [
        outcome(ONNX.original, lossless=True),
        outcome(Candidate((Step("fuse"),), "onnxruntime"), failure=broken),
    ]
    expected = plan(ONNX, outcomes, judgements_of(ONNX, outcomes), 600.0, ESTIMATES)
    assert not any(
        p.candidate.steps[:1] == (Step("fuse"),) for p in (expected.next, *expected.waiting) if p is not None
    )


def test_two_lossy_passes_are_combined_only_where_each_held_alone() -> None:
    prune = PassOffer("prune", kind("onnx", "float"), kind("onnx"), False, (Step("prune"),))
    passes = tuple(replace(p, choices=p.choices[:1]) for p in PASSES if p.name in ("to_onnx", "quantize_dynamic"))
    space = Space("onnx", FLOAT, "onnxruntime", (*passes, prune), ENGINES[2:3])
    start = [outcome(space.original, lossless=True)]
    both = Candidate((Step("prune"), Step("quantize_dynamic")), "onnxruntime")
    alone = [
        outcome(Candidate((Step("prune"),), "onnxruntime"), 1.3, 0.899),
        outcome(Candidate((Step("quantize_dynamic"),), "onnxruntime"), 1.5, 0.899),
    ]
    proposal = next_of(space, start + alone)
    assert proposal is not None
    assert proposal.candidate == both
    lost = [alone[0], replace(alone[1], metric=0.8)]
    assert next_of(space, start + lost) is None


def test_a_setting_that_changes_the_speed_is_tried_though_the_plain_form_was_measured() -> None:
    space = Space("onnx", FLOAT, "onnxruntime", (OWN,), ENGINES)
    by_label = {c.label: c for c in space.candidates}
    start = [
        outcome(space.original, lossless=True),
        outcome(by_label["openvino"], 1.1, lossless=True),
        outcome(by_label["quantize_static(method=mse) on openvino"], 2.0),
        outcome(by_label["quantize_static(method=mse) on onnxruntime"], 1.5),
    ]
    found = plan(space, start, judgements_of(space, start), 1000.0, ESTIMATES)
    wanted = [p.candidate.label for p in (found.next, *found.waiting) if p is not None]
    assert {f"quantize_static(narrow={n}) on openvino" for n in (1, 2)} <= set(wanted)
    reasons = {r.candidate.label: r.reason for r in found.skipped}
    # a calibration method does not change the speed, and 2.0x is there already
    assert "2.00x is there already" in reasons["quantize_static(method=minmax) on openvino"]
    assert not any("narrow" in label and not label.endswith("openvino") for label in (*wanted, *reasons))
