from __future__ import annotations

import numpy as np
import pytest

from speedwell import tasks
from speedwell.core.errors import DataError, LabelMismatchError, SingleClassError, UnsupportedModelError
from speedwell.inputs import EncodedSplit, make_splits
from speedwell.testing.tasks import TaskConformance

IMAGE = {"x": ("float32", ("batch", 3, 28, 28))}


class TestImageClassification(TaskConformance):
    @pytest.fixture
    def task(self):
        return tasks.build("image-classification", {})

    @pytest.fixture
    def data(self, photos):
        return photos

    @pytest.fixture
    def options(self):
        return {"mean": [0.5, 0.4, 0.3], "std": [0.3, 0.2, 0.1]}

    @pytest.fixture
    def model(self, make_model):
        return make_model(IMAGE, {"y": ("float32", ("batch", 10))})

    @pytest.fixture
    def outputs(self):
        rng = np.random.default_rng(0)
        return {"y": rng.standard_normal((12, 10)).astype(np.float32)}, rng.integers(0, 10, 12)


def test_a_corrupt_jpeg_in_the_middle_does_not_stop_it(photos, make_model, tmp_path):
    task = tasks.build("image-classification", {})
    broken = sorted(photos.rglob("*.jpg"))[30]
    broken.write_bytes(broken.read_bytes()[:90])
    samples = task.read(photos, {})
    splits = make_splits(samples)
    transform = task.transform(make_model(IMAGE), {})
    parts = [EncodedSplit.write(tmp_path / n, samples, splits[n], transform) for n in ("selection", "confirmation")]
    bad = [b for part in parts for b in part.bad]
    assert len(bad) <= 1
    assert sum(map(len, parts)) + len(bad) == len(splits.selection) + len(splits.confirmation)


def test_parquet_npz_saved_and_live_data_give_the_same_samples(digit_files, photos, tmp_path):
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    datasets.disable_progress_bars()
    files, labels = [f for f, _ in digit_files], [y for _, y in digit_files]
    cells = [{"bytes": f, "path": None} for f in files]
    pq.write_table(pa.table({"image": cells, "label": labels}), tmp_path / "d.parquet")
    offsets = np.cumsum([0] + [len(f) for f in files])
    np.savez(tmp_path / "d.npz", blob=np.frombuffer(b"".join(files), np.uint8), offsets=offsets, labels=labels)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    live = datasets.Dataset.from_dict({"image": cells, "label": labels}, features=features)
    live.save_to_disk(tmp_path / "saved")
    task = tasks.build("image-classification", {})
    want = {(s.digest, s.target) for s in task.read(photos, {})}
    for data in (tmp_path / "d.parquet", tmp_path / "d.npz", tmp_path / "saved", str(tmp_path / "saved"), live,
                 list(zip(files, labels, strict=True))):  # fmt: skip
        assert {(s.digest, s.target) for s in task.read(data, {})} == want


def test_one_class_only_is_an_error_that_names_it(photos):
    for folder in photos.iterdir():
        if folder.name != "3":
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
    with pytest.raises(SingleClassError, match="labels are '3'"):
        tasks.build("image-classification", {}).read(photos, {})


def test_texts_are_refused(texts):
    with pytest.raises(DataError, match="holds texts, not images") as caught:
        tasks.build("image-classification", {}).read(texts, {})
    assert "text-classification" in caught.value.fix


def test_class_names_of_the_model_order_the_labels(photos, make_model):
    task = tasks.build("image-classification", {})
    names = [str(9 - i) for i in range(10)]
    model = make_model(IMAGE, classes=names)
    samples = task.read(photos, tasks.read_options(model, {}))
    assert {9 - int(o.split("/")[0]) - int(t) for o, t in zip(samples.origins, samples.targets, strict=True)} == {0}
    with pytest.raises(LabelMismatchError, match="label 9 is beyond the 3"):
        task.read(photos, tasks.read_options(make_model(IMAGE, classes=["a", "b", "c"]), {}))


def test_a_multi_label_model_is_refused_with_the_way_out(make_model):
    with pytest.raises(UnsupportedModelError, match="multi label") as caught:
        tasks.build("image-classification", {}).transform(make_model(IMAGE, problem="multi_label_classification"), {})
    assert "--task custom" in caught.value.fix
