"""What every task must hold: inherit ``TaskConformance`` and override its fixtures.

class TestMine(TaskConformance):
    @pytest.fixture
    def task(self): return MyTask()
    ...
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..core.errors import JobError, LabelMismatchError, SpeedwellError
from ..core.evidence import Evidence
from ..core.model import Model
from ..core.protocols import Task
from ..inputs import EncodedSplit, Samples, Transform

__all__ = ["TaskConformance"]

Outputs = tuple[dict[str, np.ndarray], Any]


class TaskConformance:
    """Fixtures to override: ``task``; ``data`` (what ``read`` takes, at least 8 labelled samples, 2 classes);
    ``options`` (for ``read`` and ``transform``, {} by default); ``model`` (a ``Model`` record, whose payload is never
    opened); ``outputs`` (numpy outputs by name and the truth of n >= 8 samples, int64 targets [n] or a tuple of
    ``Objects``, of a model that is sometimes wrong).
    """

    @pytest.fixture
    def task(self) -> Task:
        raise NotImplementedError("override the fixture task")

    @pytest.fixture
    def data(self) -> Any:
        raise NotImplementedError("override the fixture data")

    @pytest.fixture
    def options(self) -> Mapping[str, Any]:
        return {}

    @pytest.fixture
    def model(self) -> Model:
        raise NotImplementedError("override the fixture model")

    @pytest.fixture
    def outputs(self) -> Outputs:
        raise NotImplementedError("override the fixture outputs")

    def test_it_is_a_task_with_a_name_and_a_known_test(self, task: Task) -> None:
        assert isinstance(task, Task)
        assert task.name
        assert task.metric_name
        assert task.paired_test in ("score", "bootstrap")

    def test_reading_twice_gives_the_same_samples(self, task: Task, data: Any, options: Mapping[str, Any]) -> None:
        first, second = task.read(data, options), task.read(data, options)
        assert isinstance(first, Samples)
        assert len(first) >= 8
        assert first.targets.tolist() == second.targets.tolist()
        assert first.classes == second.classes
        assert first.digests() == second.digests()
        assert len(set(first.origins)) == len(first)

    def test_missing_data_is_a_typed_error_with_its_name(self, task: Task, options: Mapping[str, Any]) -> None:
        with pytest.raises(SpeedwellError, match="no-such-data"):
            task.read("/no-such-data", options)

    def test_the_transform_gives_what_the_model_takes(
        self, task: Task, data: Any, options: Mapping[str, Any], model: Model
    ) -> None:
        transform = task.transform(model, options)
        samples = task.read(data, options)
        model.signature.check(transform.finish([transform.encode(samples[i].raw) for i in range(3)]))

    def test_a_stored_transform_does_exactly_the_same(
        self, task: Task, data: Any, options: Mapping[str, Any], model: Model, tmp_path: Path
    ) -> None:
        transform = task.transform(model, options)
        transform.save(tmp_path / "a")
        again = Transform.open(tmp_path / "a")
        again.save(tmp_path / "b")
        assert again == transform
        assert again.key == transform.key
        for file in (tmp_path / "a").iterdir():
            assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
        raws = [task.read(data, options)[i].raw for i in range(3)]
        want = transform.finish([transform.encode(r) for r in raws])
        have = again.finish([again.encode(r) for r in raws])
        assert want.keys() == have.keys()
        for name, array in want.items():
            assert array.dtype == have[name].dtype
            assert array.tobytes() == have[name].tobytes()

    def test_samples_survive_the_store(
        self, task: Task, data: Any, options: Mapping[str, Any], model: Model, tmp_path: Path
    ) -> None:
        samples, transform = task.read(data, options), task.transform(model, options)
        split = EncodedSplit.write(tmp_path / "split", samples, np.arange(len(samples))[::-1], transform)
        assert split.targets.tolist() == samples.targets[::-1].tolist()
        assert len(split.truth()) == len(samples)
        want = transform.finish([transform.encode(samples[i].raw) for i in (2, 0)])
        have = split.batch([len(samples) - 3, len(samples) - 1])
        for name, array in want.items():
            assert array.tobytes() == have[name].tobytes()

    def test_evidence_does_not_depend_on_batches(self, task: Task, outputs: Outputs) -> None:
        arrays, targets = outputs
        whole = task.evidence(arrays, targets)
        cuts = (slice(0, 3), slice(3, 4), slice(4, None))
        parts = Evidence.join([task.evidence({n: a[c] for n, a in arrays.items()}, targets[c]) for c in cuts])
        assert len(whole) == len(targets)
        assert whole.kind in (("binary",) if task.paired_test == "score" else ("score", "matches"))
        assert whole.scores.dtype == np.float64
        assert whole.answers.dtype == np.int64
        assert np.isfinite(whole.scores).all()
        for name, array in whole.arrays().items():
            assert array.tolist() == parts.arrays()[name].tolist(), name
        if whole.kind == "binary":
            assert set(whole.scores.tolist()) <= {0.0, 1.0}

    def test_the_metric_of_a_resample_is_that_of_its_samples(self, task: Task, outputs: Outputs) -> None:
        evidence = task.evidence(*outputs)
        index = np.random.default_rng(0).integers(0, len(evidence), len(evidence))
        assert task.metric(evidence, index) == task.metric(evidence.take(index))
        assert task.metric(evidence) == task.metric(evidence, np.arange(len(evidence)))

    def test_outputs_that_are_not_finite_are_an_error(self, task: Task, outputs: Outputs) -> None:
        arrays, targets = outputs
        broken = {n: np.full_like(a, np.nan) if a.dtype.kind == "f" else a for n, a in arrays.items()}
        with pytest.raises(JobError) as caught:
            task.evidence(broken, targets)
        assert caught.value.kind == "not finite"

    def test_a_label_beyond_the_outputs_is_named(self, task: Task, outputs: Outputs) -> None:
        arrays, targets = outputs
        kind = task.evidence(arrays, targets).kind
        if kind == "score":
            return
        wrong: Any
        if kind == "binary":
            wrong = np.where(np.arange(len(targets)) == 1, 987654, targets)
        else:
            wrong = tuple(replace(o, classes=np.full_like(o.classes, 987654)) for o in targets)
        with pytest.raises(LabelMismatchError, match="987654"):
            task.evidence(arrays, wrong)

    def test_unlabelled_samples_have_answers_and_no_scores(self, task: Task, outputs: Outputs) -> None:
        arrays, targets = outputs
        labelled = task.evidence(arrays, targets)
        if labelled.kind == "binary":
            evidence = task.evidence(arrays, np.full_like(targets, -1))
            assert len(evidence.scores) == 0
            assert evidence.answers.tolist() == labelled.answers.tolist()

    def test_it_travels_to_a_worker(self, task: Task, outputs: Outputs) -> None:
        want = task.evidence(*outputs)
        have = pickle.loads(pickle.dumps(task)).evidence(*outputs)
        assert have.scores.tolist() == want.scores.tolist()
