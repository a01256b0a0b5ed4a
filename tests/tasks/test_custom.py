from __future__ import annotations

import numpy as np
import pytest

from speedwell import tasks
from speedwell.core.errors import JobError, UsageError
from speedwell.inputs import ArrayTransform, ImageTransform, TextTransform
from speedwell.testing.tasks import TaskConformance

MINE = """
import numpy as np

def pairs(data):
    if data == "/no-such-data":
        raise_missing(data)
    return [(np.full(3, i, np.float32), i / 4) for i in range(10)]

def raise_missing(data):
    from speedwell.core.errors import DataNotFoundError
    raise DataNotFoundError(f"there is no data at {data}")

def score(outputs, targets):
    return -np.abs(outputs["y"][:, 0] - targets)

def loss(outputs, targets):
    return ((outputs["y"][:, 0] - targets) ** 2).mean()
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


class TestCustom(TaskConformance):
    @pytest.fixture
    def options(self, mine):
        return {"dataset": f"{mine}:pairs", "score": f"{mine}:score", "loss": f"{mine}:loss", "target": "number"}

    @pytest.fixture
    def task(self, options):
        return tasks.build("custom", options)

    @pytest.fixture
    def data(self):
        return "anything"

    @pytest.fixture
    def model(self, make_model):
        return make_model({"v": ("float32", ("batch", 3))}, {"y": ("float32", ("batch", 1))})

    @pytest.fixture
    def outputs(self, task, data, options):
        targets = task.read(data, options).targets
        return {"y": np.random.default_rng(0).standard_normal((10, 1)).astype(np.float32)}, targets


def test_scores_are_the_users_own_and_the_metric_their_mean(mine):
    options = {"dataset": f"{mine}:pairs", "score": f"{mine}:score", "target": "number"}
    task = tasks.build("custom", options)
    samples = task.read(None, options)
    evidence = task.evidence({"y": np.zeros((10, 1), np.float32)}, samples.targets)
    assert evidence.scores.tolist() == [-i / 4 for i in range(10)]
    assert len(evidence.answers) == 0
    assert task.metric(evidence) == -4.5 / 4
    assert task.paired_test == "bootstrap"


def test_a_callable_and_class_targets_do_as_well():
    task = tasks.build("custom", {"score": lambda outputs, targets: outputs["y"][np.arange(len(targets)), targets]})
    samples = task.read([(np.zeros(2), 1), (np.ones(2), 0)], {})
    evidence = task.evidence({"y": np.array([[1, 7], [4, 2]], np.float32)}, samples.targets)
    assert evidence.scores.tolist() == [7.0, 4.0]
    assert evidence.answers.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("result", "error", "told"),
    [
        (np.zeros(3), UsageError, r"float64 \[3\] for 2 samples"),
        (np.array(["a", "b"]), UsageError, "one number per sample|returned"),
        (np.array([0, np.nan]), JobError, "1 score"),
    ],
)
def test_a_wrong_score_says_what_is_wrong(result, error, told):
    task = tasks.build("custom", {"score": lambda *_: result})
    with pytest.raises(error, match=told):
        task.evidence({"y": np.zeros((2, 1), np.float32)}, np.array([0, 1]))


def test_an_error_in_the_users_score_names_its_line():
    task = tasks.build("custom", {"score": lambda outputs, _: outputs["nothing"]})
    with pytest.raises(UsageError, match=r"score function failed: KeyError: 'nothing' \(.*test_custom.py:\d+\)"):
        task.evidence({"y": np.zeros((2, 1), np.float32)}, np.array([0, 1]))


def test_missing_parts_are_asked_for():
    task = tasks.build("custom", {})
    with pytest.raises(UsageError, match="no score function") as caught:
        task.evidence({}, np.array([0]))
    assert "--score" in caught.value.fix
    with pytest.raises(UsageError, match="no loss"):
        task.loss(None, None)
    with pytest.raises(UsageError, match="target is 'box'"):
        tasks.build("custom", {"target": "box"})


def test_inputs_follow_what_is_known(make_model, tokenizer_file):
    task = tasks.build("custom", {})
    image = make_model({"x": ("float32", ("n", 3, 8, 8))}, image={"size": [8, 8]})
    text = make_model({"ids": ("int64", ("n", "s"))})
    assert isinstance(task.transform(image, {}), ImageTransform)
    assert isinstance(task.transform(image, {"inputs": "arrays"}), ArrayTransform)
    assert isinstance(task.transform(text, {"tokenizer": tokenizer_file}), TextTransform)
    assert isinstance(task.transform(text, {}), ArrayTransform)
    with pytest.raises(UsageError, match="'sound'"):
        task.transform(text, {"inputs": "sound"})
