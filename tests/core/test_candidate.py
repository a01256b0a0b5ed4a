from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import Candidate, Step

PARAMS = st.dictionaries(
    st.text(min_size=1, max_size=6), st.one_of(st.integers(), st.booleans(), st.text(max_size=4)), max_size=3
)
STEPS = st.lists(st.builds(Step, st.sampled_from(["fuse", "half"]), PARAMS), max_size=3).map(tuple)


@given(STEPS, st.sampled_from(["onnxruntime", "eager"]))
def test_the_key_is_the_content_s(steps: tuple[Step, ...], engine: str) -> None:
    again = tuple(Step(s.name, dict(reversed(list(s.params.items())))) for s in steps)
    assert Candidate(steps, engine).key == Candidate(again, engine).key


@given(STEPS)
def test_another_engine_or_order_is_another_candidate(steps: tuple[Step, ...]) -> None:
    here = Candidate(steps, "onnxruntime")
    assert here.key != Candidate(steps, "openvino").key
    if steps != steps[::-1]:
        assert here.key != Candidate(steps[::-1], "onnxruntime").key


def test_the_label_reads_as_a_pipeline() -> None:
    steps = (Step("to_onnx"), Step("quantize_static", {"method": "mse", "keep": ["a", "b", "c"]}))
    label = Candidate(steps, "openvino").label
    assert label == "to_onnx > quantize_static(keep=3 items, method=mse) on openvino"


def test_the_original_s_label_is_its_engine() -> None:
    assert Candidate((), "eager").label == "eager"
