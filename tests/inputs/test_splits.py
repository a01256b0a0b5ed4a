from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.core.errors import CorruptSampleError, EmptySplitError, UsageError
from speedwell.inputs import SPLITS, Objects, Samples, make_splits


def data(raws, targets=None, classes=("a", "b", "c")):
    raws = list(raws)
    targets = np.zeros(len(raws)) if targets is None else np.array(targets)
    return Samples(raws.__getitem__, targets, [f"row {i}" for i in range(len(raws))], classes)


def words(n, start=0):
    return [f"text {i}" for i in range(start, start + n)]


def members(splits):
    return {name: [splits.samples[i].raw for i in splits[name]] for name in SPLITS}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(-1, 2)), min_size=1, max_size=120), st.integers(0, 5))
def test_no_content_is_in_two_splits_or_twice_in_one(rows, seed):
    some = data([f"t{t}" for t, _ in rows], [label for _, label in rows])
    try:
        splits = make_splits(some, seed)
    except EmptySplitError:
        assert len({t for t, label in rows if label >= 0}) < 3 or len({t for t, _ in rows}) < 3 or len(rows) < 60
        return
    used = [raw for part in members(splits).values() for raw in part]
    assert len(used) == len(set(used))
    assert len(used) + sum(splits.removed.values()) == len(rows)


def test_the_default_sizes():
    def counts(n):
        return tuple(make_splits(data(words(n), np.arange(n) % 3)).counts[s] for s in SPLITS)

    assert counts(100) == (0, 5, 25, 70)
    assert counts(1000) == (0, 50, 250, 700)
    assert counts(10_000) == (0, 500, 2500, 7000)
    assert counts(10_500) == (500, 500, 2500, 7000)
    assert counts(3) == (0, 1, 1, 1)


def test_every_first_part_of_a_split_has_each_labels_share():
    targets = np.repeat([0, 1, 2], [600, 300, 100])
    splits = make_splits(data(words(1000), targets))
    for name in ("calibration", "selection", "confirmation"):
        labels = targets[splits[name]]
        for n in (20, len(labels) // 2, len(labels)):
            for label, share in enumerate((0.6, 0.3, 0.1)):
                # a stretch of a systematic sample is off by less than one at each end
                assert abs((labels[:n] == label).sum() - share * n) <= 2, (name, n, label)


def test_the_split_depends_on_content_and_seed_and_not_on_order():
    texts, targets = words(300), np.arange(300) % 3
    first = members(make_splits(data(texts, targets)))
    order = np.random.default_rng(0).permutation(300)
    again = members(make_splits(data([texts[i] for i in order], targets[order])))
    assert first == again
    assert first != members(make_splits(data(texts, targets), seed=1))


def test_sets_given_apart_stay_and_train_is_the_rest():
    splits = make_splits({"data": data(words(1000)), "confirmation": data(words(400, 5000))})
    assert splits.counts == {"train": 700, "calibration": 50, "selection": 250, "confirmation": 400}
    assert set(members(splits)["confirmation"]) == set(words(400, 5000))
    assert splits.warnings == ()


def test_duplicates_leave_confirmation_and_are_counted():
    splits = make_splits({"data": data(words(1000)), "confirmation": data(words(400, 990))})
    assert splits.removed == {"confirmation": 10}
    assert splits.counts["confirmation"] == 390
    assert splits.warnings == ("10 sample(s) of confirmation are also in data and were removed from confirmation",)


def test_a_given_calibration_keeps_what_it_shares_with_data():
    splits = make_splits({"data": data(words(100)), "calibration": data(words(10))})
    assert splits.counts["calibration"] == 10
    assert splits.removed == {"data": 10}


def test_repeats_and_contradicting_labels_are_reported():
    splits = make_splits(data([*words(50), "text 3", "text 4"], [0] * 50 + [0, 1]))
    assert splits.removed == {"data": 2}
    assert "2 sample(s) of data repeat" in splits.warnings[0]
    assert "row 4 (a) and row 51 (b)" in splits.warnings[1]


def test_unlabelled_samples_among_labelled_ones_are_left_out():
    splits = make_splits(data(words(60), [0, 1, -1] * 20))
    assert splits.removed == {"data": 20}
    assert "20 sample(s) of data have no label" in splits.warnings[0]
    assert make_splits(data(words(60), [-1] * 60)).removed == {}


def test_a_calibration_set_needs_no_labels():
    splits = make_splits({"data": data(words(100), [0, 1] * 50), "calibration": data(words(9, 500), [-1] * 9)})
    assert splits.counts["calibration"] == 9


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        ({"data": data(words(2))}, "confirmation split: data has 2 sample"),
        ({"data": data([])}, "calibration split: data has 0"),
        ({"confirmation": data(words(5))}, "calibration split: no data was given"),
        ({"data": data(words(50)), "confirmation": data(words(5))}, "confirmation has 5 sample.*, 5 repeated"),
        ({"data": data(words(50)), "selection": data([])}, "selection has 0 sample"),
    ],
)
def test_an_empty_split_is_named_with_counts_and_the_fix(sets, told):
    with pytest.raises(EmptySplitError, match=told) as caught:
        make_splits(sets)
    assert "--" in caught.value.fix


def test_sizes_can_be_named():
    splits = make_splits(data(words(100)), sizes={"calibration": 10, "selection": 0.5, "train": 5})
    assert splits.counts == {"train": 5, "calibration": 10, "selection": 50, "confirmation": 35}
    for sizes, told in (({"test": 5}, "'test'"), ({"selection": -1}, "-1"), ({"selection": 2.5}, "2.5"),
                        ({"calibration": 80, "selection": 80}, "160")):  # fmt: skip
        with pytest.raises(UsageError, match=told):
            make_splits(data(words(100)), sizes=sizes)


def test_unreadable_samples_are_in_no_split():
    def load(i):
        if i == 7:
            raise CorruptSampleError("broken")
        return f"t{i}"

    some = Samples(load, np.zeros(100), [f"row {i}" for i in range(100)])
    splits = make_splits(some)
    assert sum(splits.counts.values()) == 99
    assert [b.origin for b in splits.samples.bad] == ["row 7"]


def test_pictures_with_boxes_are_split_and_contradicting_boxes_are_told():
    def shows(i, width=5):
        return Objects.of([[0, 0, width, 5]], [0 if i % 20 else 1], (9, 9))

    raws = [*words(200), "text 3", "text 4"]
    objects = [*(shows(i) for i in range(200)), shows(3), shows(4, width=6)]
    targets = [int(o.classes[0]) for o in objects]
    some = Samples(raws.__getitem__, targets, [f"row {i}" for i in range(202)], ("a", "b"), objects=objects)
    splits = make_splits(some)
    assert splits.removed == {"data": 2}
    assert splits.warnings[-1].startswith(
        "1 sample(s) have equal content and different labels, for example row 4 (1 obj"
    )
    for name in ("selection", "confirmation"):  # the rare class is in each split by its share
        rare = sum(bool(splits.samples.objects(i).classes[0]) for i in splits[name].tolist())
        assert abs(rare - len(splits[name]) / 20) <= 1


def test_pictures_without_an_object_are_not_unlabelled():
    some = Samples(
        words(100).__getitem__, np.full(100, 2), [str(i) for i in range(100)], ("a", "b"),
        objects=lambda _: Objects.of([], [], (9, 9)),
    )  # fmt: skip
    assert make_splits(some).removed == {}
