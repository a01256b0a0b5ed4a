from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import Candidate, Step
from speedwell.report import candidate_label, candidate_labels, engine_label

ORIGINAL = Candidate((), "eager")
EXPORT, FUSE = Step("to_onnx"), Step("fuse")


@pytest.mark.parametrize(
    ("candidate", "label"),
    [
        (ORIGINAL, "original, torch eager"),
        (Candidate((EXPORT,), "openvino"), "same, OpenVINO"),
        (Candidate((EXPORT, FUSE), "onnxruntime"), "fused, ONNX Runtime"),
        (Candidate((EXPORT, FUSE, Step("quantize_static", {"method": "mse"})), "onnxruntime"),
         "int8 static (mse), ONNX Runtime"),
        (Candidate((EXPORT, Step("half", {"precision": "bf16"})), "openvino"), "bfloat16, OpenVINO"),
        (Candidate((Step("quantize_dynamic", {"skip": ["a", "b"], "per_channel": False}),), "mine"),
         "int8 dynamic (no per channel, 2 skip), mine"),
        (Candidate((Step("low_rank", {"rank": 8}),), "native"), "low rank (rank 8), native"),
    ],
)  # fmt: skip
def test_a_pipeline_is_told_in_plain_words(candidate, label):
    assert candidate_label(candidate, ORIGINAL) == label


def test_without_an_original_nothing_is_called_original():
    assert candidate_label(ORIGINAL) == "same, torch eager"


def test_an_unknown_engine_keeps_its_name_without_control_characters():
    assert engine_label("mi\x1b[0mne") == "mi[0mne"


names = st.sampled_from(["to_onnx", "fuse", "quantize_static", "half", "x"])
steps = st.builds(Step, names, st.dictionaries(st.sampled_from(["method", "k"]), st.sampled_from([1, "1", True, [1]])))
candidates = st.builds(Candidate, st.lists(steps, max_size=3).map(tuple), st.sampled_from(["eager", "openvino"]))


@given(st.lists(candidates, max_size=12))
def test_no_two_candidates_of_a_table_share_a_label(found):
    labels = candidate_labels(found, ORIGINAL)
    assert labels.keys() == {c.key for c in found}
    assert len(set(labels.values())) == len(labels)
