from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import ENGINES, FLOAT, ONNX, OWN, PASSES, TORCH, kind, reads

from speedwell.core import Candidate, Step
from speedwell.core.errors import UnknownNameError
from speedwell.engines import Native
from speedwell.search import EngineOffer, PassOffer, Space


def labels(space: Space) -> list[str]:
    return [c.label for c in space.candidates]


def test_a_torch_original_gets_its_engines_and_through_onnx_all_others() -> None:
    have = labels(TORCH)
    assert have[0] == "eager"
    for wanted in (
        "inductor",
        "half on inductor",
        "half on eager",
        "to_onnx on onnxruntime",
        "to_onnx > fuse on openvino",
        "to_onnx > fuse > quantize_static(method=mse) on openvino",
        "to_onnx > quantize_dynamic on onnxruntime",
    ):
        assert wanted in have
    assert not any("quantize_static" in h and "quantize_dynamic" in h for h in have)
    assert not any(h.startswith("to_onnx") and h.endswith("eager") for h in have)


def test_an_onnx_original_needs_no_export() -> None:
    have = labels(ONNX)
    assert have[0] == "onnxruntime"
    assert "fuse on onnxruntime" in have
    assert "openvino" in have
    assert not any("to_onnx" in h or h.endswith(("eager", "inductor")) for h in have)


def test_a_setting_for_one_engine_is_tried_on_that_engine_alone() -> None:
    space = Space("onnx", FLOAT, "onnxruntime", (OWN,), ENGINES)
    narrow = [c.label for c in space.candidates if any("narrow" in s.params for s in c.steps)]
    assert narrow == [f"quantize_static(narrow={n}) on openvino" for n in (1, 2)]
    by_label = {c.label: c for c in space.candidates}
    mse, minmax, one, two = (
        space.speed_key(by_label[f"quantize_static({what}) on openvino"])
        for what in ("method=mse", "method=minmax", "narrow=1", "narrow=2")
    )
    assert mse == minmax == ("openvino", ("quantize_static",))
    assert len({mse, one, two}) == 3
    repaired = space.with_repair(by_label["quantize_static(narrow=1) on openvino"], 3)
    assert repaired.steps[0].params == {"narrow": 1, "keep_float": 3}
    assert space.speed_key(repaired) == one


def test_without_data_only_what_changes_no_answer_is_offered() -> None:
    space = Space("torch", FLOAT, "eager", PASSES, ENGINES, lossy=False)
    assert all(space.lossless(c) for c in space.candidates)
    assert len(space.candidates) == 6


def test_a_pass_to_4_bits_is_tried_on_our_engine_too() -> None:
    words = PassOffer("w4", kind("onnx", "float"), kind("onnx", "w4", "float"), False, (Step("w4"),))
    native = EngineOffer("native", Native().reads)
    have = labels(Space("onnx", FLOAT, "onnxruntime", (*PASSES, words), (*ENGINES, native)))
    assert "w4 on native" in have
    assert "fuse > w4 on native" in have


def test_a_plug_in_pass_and_engine_are_slotted_by_their_kinds() -> None:
    prune = PassOffer("prune", kind("onnx", "float"), kind("onnx"), False, (Step("prune", {"share": 0.3}),))
    native = EngineOffer("native", reads("onnx"))  # type: ignore[arg-type]
    have = labels(Space("torch", FLOAT, "eager", (*PASSES, prune), (*ENGINES, native)))
    assert "to_onnx > fuse on native" in have
    assert "to_onnx > fuse > prune(share=0.3) on native" in have
    assert "to_onnx > fuse > prune(share=0.3) > quantize_dynamic on openvino" in have
    assert not any("quantize_dynamic > prune" in h for h in have)
    assert not any("prune(share=0.3) > fuse" in h for h in have)


def test_an_engine_that_cannot_run_is_left_out_but_the_original_stays() -> None:
    engines = (EngineOffer("eager", ENGINES[0].reads), EngineOffer("openvino", ENGINES[3].reads, "not installed"))
    space = Space("torch", FLOAT, "eager", PASSES, engines)
    assert {c.engine for c in space.candidates} == {"eager"}
    assert space.refusal(Candidate((Step("to_onnx"),), "openvino")) == "not installed"
    with pytest.raises(UnknownNameError, match="onnxruntime"):
        _ = Space("onnx", FLOAT, "onnxruntime", PASSES, engines).original


def test_a_candidate_that_does_not_type_check_says_why() -> None:
    fuse = Candidate((Step("fuse"),), "onnxruntime")
    assert "takes the onnx form" in TORCH.refusal(fuse)
    assert "no pass" in TORCH.refusal(Candidate((Step("magic"),), "eager"))
    assert "no engine" in TORCH.refusal(Candidate((), "magic"))
    assert "reads the torch form" in TORCH.refusal(Candidate((Step("to_onnx"),), "eager"))
    twice = Candidate((Step("quantize_dynamic"), Step("quantize_static")), "openvino")
    assert "needs float" in ONNX.refusal(twice)


def test_repair_sets_and_unsets_one_parameter() -> None:
    plain = Candidate((Step("fuse"), Step("quantize_static", {"method": "mse"})), "openvino")
    repaired = ONNX.with_repair(plain, 4)
    assert repaired.steps[1].params == {"method": "mse", "keep_float": 4}
    assert ONNX.repair_of(repaired) == 4
    assert ONNX.repair_of(plain) == 0
    assert ONNX.with_repair(repaired, 0) == plain
    assert ONNX.repair_limit(plain) == 32
    dynamic = Candidate((Step("quantize_dynamic"),), "openvino")
    assert ONNX.repair_of(dynamic) is None
    with pytest.raises(ValueError, match="no step with a repair"):
        ONNX.with_repair(dynamic, 1)


traits = st.sets(st.sampled_from(["float", "fused", "static-int8", "bf16"]), max_size=2).map(frozenset)
forms = st.sampled_from(["torch", "onnx"])
offers = st.lists(
    st.builds(
        lambda take, give, needs, forbids, adds, drops, lossless, choices: (
            take, give, needs, forbids, adds, drops, lossless, choices
        ),
        forms, forms, traits, traits, traits, traits, st.booleans(), st.integers(0, 2),
    ),
    max_size=5,
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(offers, forms, traits)
def test_whatever_passes_there_are_no_candidate_is_invalid_or_there_twice(made, form, have) -> None:
    from speedwell.core import Kind

    passes = tuple(
        PassOffer(
            f"p{i}", Kind(take, needs, forbids - needs), Kind(give, adds, drops - adds), lossless,
            tuple(Step(f"p{i}", {"n": n}) for n in range(choices)),
        )
        for i, (take, give, needs, forbids, adds, drops, lossless, choices) in enumerate(made)
    )  # fmt: skip
    engines = (*ENGINES, EngineOffer("gone", lambda form, traits: "", "no"))  # noqa: ARG005
    space = Space(form, have, "eager" if form == "torch" else "openvino", passes, engines)
    keys = [c.key for c in space.candidates]
    assert len(set(keys)) == len(keys)
    assert all(space.refusal(c) == "" for c in space.candidates)
    for candidate in space.candidates:
        names = [s.name for s in candidate.steps]
        assert len(set(names)) == len(names)
    for offer, step in ((p, s) for p in passes for s in p.choices):
        reachable = offer.product(form, have)
        if reachable is not None and offer.takes.form == offer.gives.form:
            alone = [Candidate((step,), e.name) for e in engines if not e.why_not and not e.reads(*reachable)]
            assert {c.key for c in alone} <= set(keys), "a pass that fits is offered on its own"


def test_candidates_come_shortest_first_and_always_in_the_same_order() -> None:
    lengths = [len(c.steps) for c in TORCH.candidates]
    assert lengths == sorted(lengths)
    again = Space("torch", FLOAT, "eager", PASSES, ENGINES)
    assert [c.key for c in again.candidates] == [c.key for c in TORCH.candidates]
    assert all(a != b for a, b in itertools.combinations(TORCH.candidates, 2))
