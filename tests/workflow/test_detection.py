"""Object detection end to end: a network that finds squares, accelerated, opened, compared, reported."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import detection_world as world
import numpy as np
import pytest
import small_world as w
from PIL import Image

import speedwell
from speedwell.bundle import read_evidence
from speedwell.core.errors import RunError, UsageError
from speedwell.core.record import decode
from speedwell.inputs import EncodedSplit
from speedwell.workflow.data_job import prepare_data
from speedwell.workflow.differing_boxes import shown_boxes
from speedwell.workflow.kept_answers import kept_answers, prepared_of
from speedwell.workflow.prepared import Prepared
from speedwell.workflow.run_folder import RunFolder

pytestmark = pytest.mark.slow
"""A run of a detector takes half a minute."""


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("squares")
    world.write_factory(folder)
    world.write_coco(folder / "data", 320, 0)
    return folder


@pytest.fixture(scope="module")
def run(squares: Path) -> Any:
    return speedwell.accelerate(
        f"{squares / 'finder.py'}:build", data=squares / "data" / "annotations.json", out=squares / "bundle",
        run=squares / "run", engines=("onnxruntime",), passes=("to_onnx", "fuse", "quantize_static"), max_drop="3pt",
        show_samples=True, **w.QUICK,
    )  # fmt: skip


def test_a_detector_is_accelerated_and_its_promise_is_about_average_precision(run: Any) -> None:
    assert run.bundle is not None
    claims = [c.accuracy for c in run.result.confirmations]
    assert all(c.test.startswith("paired bootstrap over images of AP,") for c in claims)
    assert 0.5 < claims[0].original < 0.8
    assert " AP against " in run.sentence
    labels = [c.candidate.label for c in run.result.confirmations] + [r.candidate.label for r in run.refused]
    assert any("quantize_static" in label for label in labels)


def test_the_run_says_what_its_images_can_show(run: Any) -> None:
    prepared = decode(Prepared, json.loads((run.run / "run.json").read_text())["prepared"])
    assert prepared.data.task == "object-detection"
    assert prepared.data.metric == "AP"
    assert "confirmation images can show down to" in prepared.preflight
    ledger = (run.run / "ledger.jsonl").read_text()
    assert "paired bootstrap of average precision over images" in ledger


def test_an_opened_bundle_answers_boxes_in_the_pictures_own_pixels(run: Any, squares: Path) -> None:
    marks = json.loads((squares / "data" / "annotations.json").read_text())
    right = total = 0
    with speedwell.open(run.bundle) as fast:
        assert fast.reads == "images"
        for image in marks["images"][:30]:
            path = squares / "data" / "images" / image["file_name"]
            found = fast(path)
            assert set(found.labels) <= set(world.CLASSES)
            assert (found.boxes >= 0).all()
            assert (found.boxes <= [128, 96, 128, 96]).all()
            assert (np.diff(found.scores) <= 0).all()
            for mark in (m for m in marks["annotations"] if m["image_id"] == image["id"]):
                x, y, width, height = mark["bbox"]
                middle = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
                near = np.abs(middle - [x + width / 2, y + height / 2]).max(axis=1) < 8
                total += 1
                right += bool(near[found.classes == mark["category_id"]].any())
    assert right > 0.9 * total > 20


def test_every_kind_of_picture_gets_the_same_answer(run: Any, squares: Path) -> None:
    path = squares / "data" / "images" / "0008.png"
    pixels = np.asarray(Image.open(path))
    with speedwell.open(run.bundle) as fast:
        want = fast(path)
        assert len(want) > 0
        for given in (str(path), path.read_bytes(), Image.open(path), pixels):
            assert fast(given).as_dict() == want.as_dict()
        assert [a.as_dict() for a in fast([path, pixels])] == [want.as_dict()] * 2
        first = want.as_dict()["objects"][0]
        assert first["label"] in want.text
        assert first["label"] == world.CLASSES[first["index"]]
        json.dumps(want.as_dict())
        ready = fast({"image": np.zeros((1, 3, 64, 64), np.float32)})
        assert set(ready) == {"boxes", "scores"}


def test_the_bundle_says_how_its_outputs_are_read_and_holds_no_boxes_of_samples(run: Any) -> None:
    with speedwell.open(run.bundle) as fast:
        assert fast.manifest.answer["detection"] == {"style": "grid", "strides": [8], "size": [64, 64]}
    evidence = read_evidence(run.bundle).scores
    assert evidence["original"].kind == "matches"
    assert len(evidence["original"].matches.boxes) == 0
    claim = run.result.confirmations[-1].accuracy
    assert evidence["original"].metric() == claim.original


def test_the_trials_for_people_stay_small(run: Any) -> None:
    trials = json.loads((run.run / "trials.json").read_text())["trials"]
    assert all(t["evidence"]["matches"] is None for t in trials if t["evidence"])
    assert all(t["metric"] is not None for t in trials if t["evidence"])


def test_compare_knows_the_bundles_preprocessing_and_its_boxes(run: Any, squares: Path) -> None:
    other = world.write_coco(squares / "more", 120, 9)
    found = speedwell.compare(
        f"{squares / 'finder.py'}:build", run.bundle, data=other, max_drop="3pt", rounds=0, task="object-detection"
    )
    assert (found.n, found.speed) == (120, ())
    assert found.accuracy.verdict.holds
    assert found.text.startswith(f"AP         {found.accuracy.verdict.value}: ")
    half = speedwell.compare(
        f"{squares / 'finder.py'}:build", run.bundle, data=other, max_drop="3pt", rounds=0, metric="AP50"
    )
    assert half.accuracy.original > found.accuracy.original + 0.2


def test_labelling_what_differs_makes_no_sense_here(run: Any) -> None:
    with pytest.raises(RunError, match="boxes of every picture"):
        speedwell.label(run.run)


def test_the_report_draws_both_models_boxes_where_they_differ(run: Any) -> None:
    folder = RunFolder.open(run.run)
    prepared = prepared_of(folder)
    samples = shown_boxes(folder, prepared)
    original, winner = kept_answers(folder, prepared)
    page = run.report(show_samples=True).read_text()
    if not samples:  # an 8-bit network that finds exactly the same has nothing to show
        assert (original.matches.scores > 0.25).sum() == (winner.matches.scores > 0.25).sum()
        return
    assert all(any(b.alone for b in s.boxes) for s in samples)
    assert {b.who for s in samples for b in s.boxes} == {"original", "winner", "truth"}
    assert samples[0].size == (48, 64)
    assert Image.open(io.BytesIO(samples[0].image)).size == (64, 48)
    assert page.count('class="scene"') == 2 * len(samples)
    assert "only here: " in page
    assert 'class="scene"' not in run.report(run.run / "plain.html").read_text()


def test_a_live_detector_brings_its_own_words(squares: Path) -> None:
    spec = importlib.util.spec_from_file_location("finder", squares / "finder.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    from speedwell.sources import save_live

    model = save_live(module.build().eval(), squares / "live")
    assert model.origin.hints["detection"]["strides"] == [8]
    assert model.origin.hints["image"]["size"] == [64, 64]
    assert model.origin.hints["classes"] == ["red", "green"]


def test_an_output_that_nobody_explains_is_asked_for(squares: Path, tmp_path: Path) -> None:
    text = (squares / "finder.py").read_text().replace("self.detection =", "self.other =")
    (tmp_path / "plain.py").write_text(text)
    with pytest.raises(UsageError, match="outputs are read is not known") as error:
        speedwell.accelerate(
            f"{tmp_path / 'plain.py'}:build", data=squares / "data" / "annotations.json", run=tmp_path / "run",
            engines=("onnxruntime",), passes=("to_onnx",), **w.QUICK,
        )  # fmt: skip
    assert "detection=yolo" in error.value.fix


def test_live_pairs_are_split_and_stored_with_their_boxes(squares: Path, tmp_path: Path) -> None:
    from speedwell.sources import load_model

    rng = np.random.default_rng(5)
    pairs = []
    for _ in range(40):
        pixels, boxes, classes = world.squares(rng)
        pairs.append((pixels, {"boxes": boxes, "labels": classes}))
    model = load_model(f"{squares / 'finder.py'}:build", None, tmp_path / "model")
    facts = prepare_data(model, None, {"data": pairs}, {}, tmp_path / "data", 0, 1, 1, everything=True)
    assert facts["data"]["task"] == "object-detection"
    assert facts["data"]["kind"] == "letterbox"
    for name in ("calibration", "selection", "confirmation"):
        split = EncodedSplit.open(tmp_path / "data" / name)
        assert split.has_objects
        truth = split.truth()
        assert all(o.window == (0.0, 8.0, 64.0, 56.0) for o in truth)
        assert sum(len(o) for o in truth) > 0 or len(split) < 3
