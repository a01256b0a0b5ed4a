from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from speedwell import tasks
from speedwell.core.errors import DataError, InputMismatchError, UsageError
from speedwell.inputs import ImageTransform, LetterboxTransform, Objects, Samples
from speedwell.tasks.object_detection import ObjectDetection
from speedwell.testing.tasks import TaskConformance

CLASSES, SIZE, STRIDE = ("cat", "dog", "bird"), (32, 64), 8
CELLS = (SIZE[0] // STRIDE) * (SIZE[1] // STRIDE)
GRID = {"style": "grid", "strides": [STRIDE], "size": list(SIZE)}


def picture(rng, height, width):
    data = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8)).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def coco(tmp_path):
    """12 pictures of several sizes, with 0 to 3 objects each."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    images, marks = [], []
    for i in range(12):
        h, w = int(rng.integers(20, 60)), int(rng.integers(20, 60))
        (tmp_path / "images" / f"{i}.png").write_bytes(picture(rng, h, w))
        images.append({"id": i, "file_name": f"{i}.png", "height": h, "width": w})
        for _ in range(i % 4):
            x, y = rng.uniform(0, w / 2), rng.uniform(0, h / 2)
            marks.append({"id": len(marks), "image_id": i, "category_id": int(rng.integers(3)),
                          "bbox": [x, y, w / 3, h / 3], "iscrowd": 0})  # fmt: skip
    categories = [{"id": i, "name": n} for i, n in enumerate(CLASSES)]
    path = tmp_path / "marks.json"
    path.write_text(json.dumps({"images": images, "annotations": marks, "categories": categories}))
    return path


@pytest.fixture
def detector(make_model):
    return make_model(
        {"image": ("float32", ("batch", 3, *SIZE))},
        {"boxes": ("float32", ("batch", CELLS, 4)), "scores": ("float32", ("batch", CELLS, 3))},
        detection=GRID,
        classes=list(CLASSES),
    )


class TestObjectDetection(TaskConformance):
    @pytest.fixture
    def task(self):
        return tasks.build("object-detection", {"detection": GRID})

    @pytest.fixture
    def data(self, coco):
        return coco

    @pytest.fixture
    def model(self, detector):
        return detector

    @pytest.fixture
    def outputs(self):
        """Boxes around where the objects are, some of them wrong."""
        rng = np.random.default_rng(1)
        truth, boxes, scores = [], [], []
        for _ in range(10):
            cells = rng.permutation(CELLS)[:3]
            labels = rng.integers(0, 3, 3)
            logits = rng.normal(-5, 1, (CELLS, 3))
            logits[cells, labels] = rng.normal(1, 2, 3)
            reach = rng.uniform(0.8, 1.5, (CELLS, 4))
            y, x = np.divmod(cells, SIZE[1] // STRIDE)
            middle = (np.stack([x, y], 1) + 0.5) * STRIDE
            edges = np.concatenate([middle - reach[cells, :2] * STRIDE, middle + reach[cells, 2:] * STRIDE], 1)
            edges = np.clip(edges + rng.normal(0, 1, (3, 4)), 0, [64, 32, 64, 32]).astype(np.float32)
            truth.append(Objects.of(edges, labels, SIZE, rng.random(3) < 0.2))
            boxes.append(reach)
            scores.append(logits)
        return {"boxes": np.array(boxes, "f4"), "scores": np.array(scores, "f4")}, tuple(truth)


def test_what_is_found_is_cut_at_the_picture_and_judged_there():
    task = tasks.build("object-detection", {"detection": GRID, "metric": "AP50"})
    logits = np.full((1, CELLS, 3), -9, np.float32)
    logits[0, 0, 1] = 3
    boxes = np.full((1, CELLS, 4), 2, np.float32)
    # a picture of 16 x 64 in the middle of 32 x 64: what reaches into the border is cut
    truth = Objects.of([[0, 8, 20, 20]], [1], (16, 64), window=(0, 8, 64, 24))
    evidence = task.evidence({"boxes": boxes, "scores": logits}, (truth,))
    assert evidence.matches.boxes.tolist() == [[0, 8, 20, 20]]
    assert (task.metric(evidence), task.metric_name) == (1.0, "AP50")


def test_the_models_own_words_are_taken_and_the_users_go_before(detector):
    assert tasks.build("object-detection", {}, detector).reader.head.strides == (STRIDE,)
    again = tasks.build("object-detection", {"detection": {"score": 0.2}}, detector, (32, 64))
    assert again.reader.score == 0.2
    other = tasks.build("object-detection", {"detection": "detr"}, detector)
    assert (other.reader.head.style, other.reader.head.size) == ("detr", SIZE)
    with pytest.raises(UsageError, match="not known"):
        tasks.build("object-detection", {}).reader  # noqa: B018 - the property raises


def test_only_ap_and_ap50_are_figures():
    with pytest.raises(UsageError, match="AP75"):
        ObjectDetection().configured({"metric": "AP75"})


def test_pictures_are_letterboxed_unless_someone_says_otherwise(detector, make_model):
    task = ObjectDetection()
    assert isinstance(task.transform(detector, {}), LetterboxTransform)
    assert "letterboxed into 32x64" in " ".join(task.transform(detector, {}).assumed)
    stretched = task.transform(detector, {"resize": "stretch"})
    assert isinstance(stretched, ImageTransform)
    assert stretched.window((10, 10)) == (0, 0, 64, 32)
    hinted = make_model({"x": ("float32", ())}, image={"size": [40, 40], "fill": 0, "center": False, "mean": [0.5] * 3})
    transform = task.transform(hinted, {})
    assert (transform.fill, transform.center, transform.size, transform.mean) == (0, False, (40, 40), (0.5,) * 3)
    for wrong in ({"crop": [32, 32]}, {"resize": "shortest"}, {"resize": "stretch", "fill": 3}):
        with pytest.raises(UsageError):
            task.transform(detector, wrong)
    with pytest.raises(InputMismatchError):
        task.transform(detector, {"size": [64, 64]})


def test_data_without_boxes_or_without_objects_is_refused(photos, coco):
    task = ObjectDetection()
    with pytest.raises(DataError, match="no boxes"):
        task.read(photos, {})
    empty = json.loads(coco.read_text())
    coco.write_text(json.dumps({**empty, "annotations": []}))
    with pytest.raises(DataError, match="no box"):
        task.read(coco, {})
    image = np.zeros((8, 8, 3), np.uint8)
    bare = Samples(lambda _: image, [1], ["a"], ["cat"], objects=[Objects.of([], np.zeros(0, int), (8, 8))])
    with pytest.raises(DataError, match="none of 1 pictures"):
        task.read(bare, {})
    with pytest.raises(DataError, match="Label all"):
        task.evidence({}, np.zeros(3, np.int64))


def test_boxes_are_not_read_as_classes(coco):
    with pytest.raises(DataError, match="object-detection"):
        tasks.build("image-classification", {}).read(coco, {})


def test_class_numbers_cannot_train_it():
    with pytest.raises(UsageError, match="boxes"):
        ObjectDetection().loss(None, None)


def noisy(n, found=True, right=True):
    truth = tuple(Objects.of([[4, 4, 20, 20]], [0], SIZE) for _ in range(n))
    logits = np.full((n, CELLS, 3), -9, np.float32)
    logits[:, 9, 0 if right else 2] = 4 if found else -9
    boxes = np.ones((n, CELLS, 4), np.float32)
    return {"boxes": boxes, "scores": logits}, truth


def test_doubts_name_what_looks_wrong():
    task = tasks.build("object-detection", {"detection": GRID})
    assert task.doubts(*noisy(25)) == []
    assert "finds nothing in 25" in task.doubts(*noisy(25, found=False))[0]
    assert "order of the classes" in task.doubts(*noisy(25, right=False))[0]
    assert task.doubts(*noisy(5, found=False)) == []  # too few to say anything


@pytest.mark.parametrize("kind", ["coco", "scenes", "live", "hint"])
def test_it_is_guessed(kind, coco, make_model, detector, photos):
    plain = make_model({"image": ("float32", ("batch", 3, 32, 32))}, {"output0": ("float32", ("batch", 7, 90))})
    data = {
        "coco": coco,
        "scenes": "scenes:digits?n=20",
        "live": [(np.zeros((8, 8, 3), np.uint8), {"boxes": np.array([[0, 0, 4, 4]]), "labels": np.array([0])})],
    }
    if kind == "hint":
        with pytest.raises(UsageError, match="image-classification and the model like object-detection"):
            tasks.guess_task(photos, detector)
        assert tasks.guess_task(None, detector) == "object-detection"
        assert tasks.guess_task(None, plain, {"detection": "yolo"}) == "object-detection"
    else:
        assert tasks.guess_task(data[kind], plain) == "object-detection"
        assert ObjectDetection().read(data[kind], {}).has_objects


def test_voc_and_hugging_face_folders_are_read_and_guessed(tmp_path, make_model):
    model = make_model({"image": ("float32", ("batch", 3, 32, 32))})
    rng = np.random.default_rng(0)
    voc = tmp_path / "voc"
    for name in ("Annotations", "JPEGImages"):
        (voc / name).mkdir(parents=True)
    (voc / "JPEGImages" / "a.png").write_bytes(picture(rng, 20, 30))
    (voc / "Annotations" / "a.xml").write_text(
        "<annotation><filename>a.png</filename><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
        "<xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    )
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "a.png").write_bytes(picture(rng, 20, 30))
    row = {"file_name": "a.png", "objects": {"bbox": [[0, 0, 9, 9]], "category": ["cat"]}}
    (hub / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    for folder in (voc, hub):
        assert tasks.guess_task(folder, model) == "object-detection"
        samples = ObjectDetection().read(folder, {})
        assert isinstance(samples, Samples)
        assert samples.objects(0).boxes.tolist() == [[0, 0, 9, 9]]
        assert samples.classes == ("cat",)
