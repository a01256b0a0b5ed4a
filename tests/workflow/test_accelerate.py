"""The main job from Python: what comes out for good input, and what is left after bad input (nothing)."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import small_world as w
from onnx import TensorProto, helper

import speedwell
from speedwell.core import FailureKind, Outcome, Result, decode, errors, loads


def outcomes(run: Path) -> list[Outcome]:
    return [decode(Outcome, t) for t in w.as_json(run / "trials.json")["trials"]]


def test_a_live_module_ends_in_a_certified_winner(live_run: Any) -> None:
    result = live_run.result
    assert result.best is not None
    assert result.best.engine == "onnxruntime"
    won = next(c for c in result.confirmations if c.candidate.key == result.best.key)
    assert won.certified
    assert won.accuracy.n >= 900
    assert won.speed[0].ratio.low > 1
    assert result.promise.margin == 0.01
    assert "times as fast as the original" in live_run.sentence
    assert "Promise kept" in live_run.sentence


def test_the_original_of_a_torch_model_is_eager_and_of_a_file_onnx_runtime(live_run: Any, folder_run: Any) -> None:
    assert live_run.result.original.candidate.engine == "eager"
    assert folder_run.result.original.candidate.engine == "onnxruntime"


def test_the_original_on_every_engine_competes(folder_run: Any) -> None:
    assert {"onnxruntime", "openvino"} <= {o.candidate.engine for o in outcomes(folder_run.run)}
    trials = outcomes(folder_run.run)
    assert [t.number for t in trials] == list(range(len(trials)))
    assert len({t.candidate.key for t in trials}) == len(trials)


def test_every_candidate_is_the_best_or_refused_with_a_reason(folder_run: Any) -> None:
    result = folder_run.result
    refused = {r.candidate.key: r.reason for r in result.refused}
    assert all(refused.values())
    best = {result.best.key} if result.best else set()
    original = result.original.candidate.key
    certified = {c.candidate.key for c in result.confirmations if c.certified}
    tried = {o.candidate.key for o in outcomes(folder_run.run)} - {original}
    assert tried <= set(refused) | best | certified


def test_what_was_asked_is_kept_with_the_run(folder_run: Any) -> None:
    assert loads(Result, (folder_run.run / "result.json").read_text()).sentence == folder_run.sentence
    assert (folder_run.run.stat().st_mode & 0o777) == 0o700
    assert w.as_json(folder_run.run / "run.json")["settings"]["budget"] == "10m"
    assert not any((folder_run.run / "scratch").iterdir())


def test_texts_are_timed_at_their_median_and_95th_percentile_length(text_run: Any) -> None:
    names = [x.name for x in text_run.result.workloads]
    assert names == ["median length", "95th-percentile length"]
    short, long = (x.shapes["input_ids"][1] for x in text_run.result.workloads)
    assert 3 <= short < long <= 24
    for outcome in outcomes(text_run.run):
        assert outcome.failure is not None or len(outcome.timings) == 2


def test_without_data_only_what_changes_no_answer_competes(world: Path, inside: Path) -> None:
    done = speedwell.accelerate(world / "reader.onnx", engines=("onnxruntime",), run="run", **w.QUICK)
    assert done.result.promise.kind == "equal"
    tried = outcomes(inside / "run")
    assert len(tried) >= 2
    assert all(t.lossless for t in tried)
    assert done.result.workloads[0].name == "generated inputs"


def test_a_custom_score_is_used_as_it_is_and_a_batch_of_four_is_what_is_timed(world: Path, inside: Path) -> None:
    (inside / "scoring.py").write_text(
        "import numpy as np\n\n\ndef margin(outputs, targets):\n"
        "    scores = outputs['scores']\n    return scores[np.arange(len(targets)), targets].astype(float)\n"
    )
    done = speedwell.accelerate(
        world / "reader.onnx", data=world / "scans", task="custom", batch=4, score=f"{inside}/scoring.py:margin",
        run="run", engines=("onnxruntime",), passes=("fuse",), **w.QUICK, **w.IMAGES,
    )  # fmt: skip
    evidence = outcomes(inside / "run")[0].evidence
    assert evidence is not None
    assert evidence.kind == "score"
    assert len(np.unique(evidence.scores)) > 100, "scores are numbers, not right and wrong"
    assert done.result.original.metric == pytest.approx(evidence.scores.mean())
    assert done.result.workloads[0].shapes["image"] == (4, 1, 8, 8)
    assert sum(done.result.splits[k] for k in ("train", "calibration", "selection", "confirmation")) == 1397


def test_a_corrupt_image_in_the_middle_is_left_out_and_told(world: Path, inside: Path) -> None:
    pixels, labels = w.digits()
    folder = w.write_images(inside / "scans", pixels[400:700], labels[400:700], "jpg")
    for file in sorted(folder.rglob("*.jpg"))[::60]:
        file.write_bytes(f"no image: {file.name}".encode())
    told: list[str] = []
    done = speedwell.accelerate(
        world / "reader.onnx", data=folder, run="run", engines=("onnxruntime",), passes=("fuse",), agree="90%",
        progress=Listening(told), **w.QUICK, **w.IMAGES,
    )  # fmt: skip
    assert done.result.original.metric is not None
    assert any("left out" in line and ".jpg" in line for line in told), told


class Listening:
    """A ``Progress`` that keeps warnings."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def __getattr__(self, name: str) -> Any:
        return (lambda text: self.told.append(text)) if name == "warning" else (lambda *_, **__: None)


def bad_input(name: str, world: Path, here: Path) -> dict[str, Any]:
    """Arguments of ``accelerate`` that cannot be used, made in ``here``."""
    pixels, labels = (a[400:700] for a in w.digits())
    good = {"model": world / "reader.onnx", "data": world / "scans", **w.QUICK, **w.IMAGES}
    if name == "missing model":
        return {**good, "model": "nowhere.onnx"}
    if name == "missing data":
        return {**good, "data": "nowhere"}
    if name == "pickle":
        (here / "m.pkl").write_bytes(b"\x80\x04K\x01.")
        return {**good, "model": "m.pkl"}
    if name == "joblib":
        (here / "m.joblib").write_bytes(b"\x80\x04K\x01.")
        return {**good, "model": "m.joblib"}
    if name == "keras":
        (here / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
        return {**good, "model": "m.h5"}
    if name in ("whole module", "torchscript"):
        import torch

        module = torch.nn.Linear(2, 2)
        if name == "whole module":
            torch.save(module, here / "m.pt")
        else:
            torch.jit.save(torch.jit.trace(module, torch.ones(1, 2)), here / "m.pt")
        return {**good, "model": "m.pt"}
    if name == "external data outside":
        graph = w.reader_onnx()
        tensor = next(t for t in graph.graph.initializer if t.name == "head.weight")
        (here / "secret.bin").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../secret.bin")
        (here / "model").mkdir()
        (here / "model" / "m.onnx").write_bytes(graph.SerializeToString())
        return {**good, "model": "model/m.onnx"}
    if name == "labels beyond the outputs":
        return {**good, "data": w.write_images(here / "d", pixels, np.arange(len(pixels)) % 12)}
    if name == "one class":
        return {**good, "data": w.write_images(here / "d", pixels[labels == 3], labels[labels == 3])}
    if name == "empty split":
        return {**good, "data": w.write_images(here / "d", pixels[:6], labels[:6])}
    if name == "empty folder":
        (here / "d").mkdir()
        return {**good, "data": "d"}
    if name == "another size":
        large = np.kron(pixels[:60], np.ones((1, 2, 2), np.uint8))
        return {**good, "data": w.write_images(here / "d", large, labels[:60]), "resize": "none"}
    if name == "not finite":
        graph = w.reader_onnx()
        graph.graph.node[-1].output[0] = "raw"
        graph.graph.node.append(helper.make_node("Log", ["raw"], ["scores"]))
        onnx.save(graph, here / "m.onnx")
        return {**good, "model": "m.onnx"}
    if name == "another batch":
        onnx.save(w.reader_onnx(batch=2), here / "m.onnx")
        return {**good, "model": "m.onnx", "batch": 4}
    if name == "both promises":
        return {**good, "max_drop": "1%", "agree": "99%"}
    if name == "no labels for a drop":
        np.savez(here / "d.npz", images=pixels)
        return {**good, "data": "d.npz", "max_drop": "1%"}
    if name == "drop without data":
        return {"model": good["model"], "max_drop": "1%", **w.QUICK}
    changed: dict[str, Any] = {
        "no promise": {"max_drop": "5q"}, "one second": {"budget": "1s"}, "no time": {"budget": "soon"},
        "unknown engine": {"engines": ("warp",)}, "unknown pass": {"passes": ("shrink",)},
        "unknown task": {"task": "poetry"}, "read-only out": {"out": "/proc/nowhere/bundle"},
        "out is a file": {"out": str(world / "reader.onnx")}, "read-only run": {"run": "/proc/nowhere"},
        "no model": {"model": 3},
    }[name]  # fmt: skip
    return {**good, **changed}


BAD = [
    ("missing model", errors.ModelNotFoundError, "nowhere.onnx"),
    ("missing data", errors.DataNotFoundError, "--data"),
    ("pickle", errors.UnsafeModelError, "can run code"),
    ("joblib", errors.UnsafeModelError, "skl2onnx"),
    ("keras", errors.UnsupportedModelError, "tf2onnx"),
    ("whole module", errors.UnsafeModelError, "state_dict()"),
    ("torchscript", errors.UnsafeModelError, "--weights"),
    ("external data outside", errors.UnsafeModelError, "../secret.bin"),
    ("labels beyond the outputs", errors.LabelMismatchError, "--classes"),
    ("one class", errors.SingleClassError, "two classes"),
    ("empty split", errors.EmptySplitError, "at least"),
    ("empty folder", errors.DataError, ""),
    ("another size", errors.InputMismatchError, "--resize stretch"),
    ("not finite", errors.JobError, "the original itself fails"),
    ("another batch", errors.InputMismatchError, "--batch 2"),
    ("both promises", errors.UsageError, "--agree without labels"),
    ("no labels for a drop", errors.UsageError, "--agree 99%"),
    ("drop without data", errors.UsageError, "--data"),
    ("no promise", errors.UsageError, "1pt"),
    ("one second", errors.UsageError, "--budget"),
    ("no time", errors.UsageError, "10m"),
    ("unknown engine", errors.UnknownNameError, "onnxruntime"),
    ("unknown pass", errors.UnknownNameError, "quantize_static"),
    ("unknown task", errors.UnknownNameError, "image-classification"),
    ("read-only out", errors.OutputError, "--out"),
    ("out is a file", errors.OutputError, "--out"),
    ("read-only run", errors.OutputError, "--run"),
    ("no model", errors.UsageError, "nn.Module"),
]


@pytest.mark.parametrize(("name", "kind", "words"), BAD, ids=[b[0] for b in BAD])
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # making a TorchScript file is the test
def test_bad_input_is_a_typed_error_with_the_way_out_and_leaves_nothing(
    world: Path, inside: Path, name: str, kind: type[errors.SpeedwellError], words: str
) -> None:
    arguments = bad_input(name, world, inside)
    before = sorted(inside.rglob("*"))
    with pytest.raises(kind) as error:
        speedwell.accelerate(**arguments)
    assert words in str(error.value)
    assert error.value.fix or name in ("missing model", "empty folder"), "a message without the way out"
    assert sorted(inside.rglob("*")) == before, "something is left half done"


def test_nan_outputs_are_of_their_own_kind(world: Path, inside: Path) -> None:
    with pytest.raises(errors.JobError) as error:
        speedwell.accelerate(**bad_input("not finite", world, inside))
    assert FailureKind(error.value.kind) is FailureKind.NOT_FINITE
