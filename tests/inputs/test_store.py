from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedwell.core import TensorSpec
from speedwell.core.errors import (
    CorruptSampleError,
    DataError,
    DataNotFoundError,
    EmptySplitError,
    InputMismatchError,
)
from speedwell.inputs import (
    ArrayTransform,
    EncodedSplit,
    ImageTransform,
    LetterboxTransform,
    Objects,
    ObjectTable,
    Samples,
    TextTransform,
)

IMAGE = ImageTransform("x", (12, 12), mean=(0.5,) * 3, std=(0.5,) * 3)


def samples(raws, targets=None):
    raws = list(raws)
    targets = np.arange(len(raws)) % 3 if targets is None else targets
    return Samples(raws.__getitem__, targets, [f"s{i}" for i in range(len(raws))], ("a", "b", "c"))


def test_batches_are_what_the_transform_gives(digits, tmp_path):
    files = digits[0][:30]
    index = np.array([5, 2, 29, 11])
    split = EncodedSplit.write(tmp_path / "a", samples(files), index, IMAGE)
    want = IMAGE.finish([IMAGE.encode(files[i]) for i in (29, 5)])["x"]
    assert np.array_equal(split.batch([2, 0])["x"], want)
    assert len(split) == 4
    assert split.targets.tolist() == [2, 2, 2, 2]
    assert split.targets.dtype == np.int64
    assert split.lengths is None
    assert split.origins == ("s5", "s2", "s29", "s11")
    assert len(set(split.digests)) == 4
    assert split.classes == ("a", "b", "c")


def test_what_is_opened_again_is_equal(digits, tmp_path):
    EncodedSplit.write(tmp_path / "a", samples(digits[0][:20]), range(20), IMAGE)
    split = EncodedSplit.open(tmp_path / "a")
    assert np.array_equal(split.field("pixels")[:], np.load(tmp_path / "a" / "field0.npy"))
    assert split.transform == IMAGE
    assert len(split.first(7)) == 7
    assert np.array_equal(split.first(7).batch([6])["x"], split.batch([6])["x"])
    assert len(split.first(99)) == 20
    with pytest.raises(IndexError):
        split.first(7).batch([7])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_ragged_samples_keep_their_lengths(tmp_path, lengths):
    transform = ArrayTransform((TensorSpec("ids", "int64", ("batch", "sequence")),))
    raws = [np.arange(n) + i for i, n in enumerate(lengths)]
    split = EncodedSplit.write(tmp_path / "r", samples(raws), range(len(raws)), transform)
    assert split.lengths.tolist() == lengths
    for i, raw in enumerate(raws):
        assert split.encoded(i)["ids"].tolist() == raw.tolist()
    assert split.first(1).lengths.tolist() == lengths[:1]


def test_texts_say_how_long_they_are(tokenizer, tmp_path):
    transform = TextTransform({"input_ids": "ids", "token_type_ids": "types"}, tokenizer)
    split = EncodedSplit.write(tmp_path / "t", samples(["a", "the card", "the card is lost"]), range(3), transform)
    assert split.lengths.tolist() == [3, 4, 6]
    assert split.batch([0, 2])["ids"].shape == (2, 6)


def test_a_corrupt_jpeg_in_the_middle_is_dropped_and_reported(digits, tmp_path):
    files = list(digits[0][:100])
    files[50] = files[50][:200]
    split = EncodedSplit.write(tmp_path / "a", samples(files), range(100), IMAGE)
    assert len(split) == len(split.targets) == len(split.digests) == 99
    assert "s50" not in split.origins
    assert [b.origin for b in EncodedSplit.open(tmp_path / "a").bad] == ["s50"]
    assert "image" in split.bad[0].reason
    assert np.array_equal(split.batch([50])["x"], IMAGE.finish([IMAGE.encode(files[51])])["x"])


def test_too_many_corrupt_samples_stop_and_leave_nothing(digits, tmp_path):
    files = [f[:100] if i % 10 == 0 else f for i, f in enumerate(digits[0][:100])]
    with pytest.raises(CorruptSampleError, match="s0: not a readable image"):
        EncodedSplit.write(tmp_path / "a", samples(files), range(100), IMAGE)
    assert list(tmp_path.iterdir()) == []


def test_a_small_part_may_hold_more_bad_samples_than_its_share(digits, tmp_path):
    files = [f[:100] if i in (3, 7, 11, 15) else f for i, f in enumerate([*digits[0]] * 2)][:300]
    whole = samples(files)
    assert len(EncodedSplit.write(tmp_path / "a", whole, range(60), IMAGE)) == 56
    assert [b.origin for b in whole.bad] == ["s3", "s7", "s11", "s15"]
    with pytest.raises(CorruptSampleError, match="4 of 6 samples"):
        EncodedSplit.write(tmp_path / "b", whole, [3, 7, 11, 15, 1, 2], IMAGE)


def test_bad_samples_of_all_parts_count_together(digits, tmp_path):
    whole = samples([f[:100] if i % 15 == 0 else f for i, f in enumerate(digits[0][:100])])
    EncodedSplit.write(tmp_path / "a", whole, range(75), IMAGE)
    with pytest.raises(CorruptSampleError, match="6 of 100 samples"):
        EncodedSplit.write(tmp_path / "b", whole, range(75, 100), IMAGE)


def test_a_failed_write_leaves_the_older_split(digits, tmp_path):
    EncodedSplit.write(tmp_path / "a", samples(digits[0][:5]), range(5), IMAGE)
    exact = ImageTransform("x", (8, 8), resize="none", crop="none")
    with pytest.raises(InputMismatchError, match="16x16, the model takes 8x8"):
        EncodedSplit.write(tmp_path / "a", samples(digits[0][:9]), range(9), exact)
    assert len(EncodedSplit.open(tmp_path / "a")) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    EncodedSplit.write(tmp_path / "a", samples(digits[0][:9]), range(9), IMAGE)
    assert len(EncodedSplit.open(tmp_path / "a")) == 9
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_samples_of_two_forms_are_refused(digits, tmp_path):
    raws = [digits[0][0], np.zeros((3, 12, 12), np.float32)]
    with pytest.raises(InputMismatchError, match=r"s1 gives \['tensor'\], the samples before it \['pixels'\]"):
        EncodedSplit.write(tmp_path / "a", samples(raws), range(2), IMAGE)
    loose = ArrayTransform((TensorSpec("x", "float32", ()),))
    with pytest.raises(InputMismatchError, match="s1 gives"):
        EncodedSplit.write(tmp_path / "a", samples([np.zeros(2), np.zeros(3)]), range(2), loose)


def test_nothing_to_write_is_an_empty_split(tmp_path):
    with pytest.raises(EmptySplitError):
        EncodedSplit.write(tmp_path / "a", samples(["x"]), [], IMAGE)


def test_damage_is_told_when_opened(digits, tmp_path):
    with pytest.raises(DataNotFoundError):
        EncodedSplit.open(tmp_path / "a")
    folder = tmp_path / "a"

    def fresh():
        EncodedSplit.write(folder, samples(digits[0][:5]), range(5), IMAGE)

    fresh()
    facts = json.loads((folder / "split.json").read_text())
    (folder / "split.json").write_text(json.dumps(facts | {"n": 4}))
    with pytest.raises(DataError, match="counts disagree"):
        EncodedSplit.open(folder)
    fresh()
    whole = (folder / "field0.npy").read_bytes()
    (folder / "field0.npy").write_bytes(whole[:-10])
    with pytest.raises(DataError, match="damaged"):
        EncodedSplit.open(folder)
    fresh()
    np.save(folder / "targets.npy", np.array([{}] * 5, object), allow_pickle=True)
    with pytest.raises(DataError, match="damaged"):
        EncodedSplit.open(folder)


def shown(n, size=(16, 16)):
    """Objects of ``n`` pictures: k % 3 of them in picture k."""
    return [
        Objects.of([[1 + j, 2, 9, 12.5] for j in range(k % 3)], [j % 3 for j in range(k % 3)], size) for k in range(n)
    ]


def test_objects_are_kept_placed_and_mapped(digits, tmp_path):
    files = digits[0][:20]
    whole = Samples(
        files.__getitem__, np.arange(20) % 3, [f"s{i}" for i in range(20)], ("a", "b", "c"), objects=shown(20)
    )
    transform = LetterboxTransform("x", (24, 40))
    split = EncodedSplit.write(tmp_path / "a", whole, [5, 4, 3], transform)
    again = EncodedSplit.open(tmp_path / "a")
    for one in (split, again, again.first(3)):
        assert one.has_objects
        for k, i in enumerate((5, 4, 3)):
            assert one.objects(k).same(transform.place(whole.objects(i)))
            assert one.objects(k).window == (8.0, 0.0, 32.0, 24.0)
            assert one.objects(k).size == (16, 16)
        truth = one.truth([2, 0])
        assert isinstance(truth, tuple)
        assert [len(o) for o in truth] == [0, 2]
        assert len(one.truth()) == 3
    assert [len(o) for o in again.first(1).truth()] == [2]
    with pytest.raises(IndexError):
        again.first(1).objects(1)
    assert isinstance(again._objects.boxes, np.memmap)


def test_dropped_pictures_take_their_objects_along(digits, tmp_path):
    files = list(digits[0][:30])
    files[4] = files[4][:50]
    whole = Samples(files.__getitem__, np.zeros(30), [f"s{i}" for i in range(30)], ("a",), objects=shown(30))
    split = EncodedSplit.write(tmp_path / "a", whole, range(30), IMAGE)
    assert [len(o) for o in split.truth()] == [k % 3 for k in range(30) if k != 4]


def test_truth_without_boxes_is_class_numbers(digits, tmp_path):
    split = EncodedSplit.write(tmp_path / "a", samples(digits[0][:6]), range(6), IMAGE)
    assert not split.has_objects
    assert split.objects(0) is None
    assert split.truth([4, 0]).tolist() == [1, 0]
    assert split.truth().tolist() == [0, 1, 2, 0, 1, 2]
    facts = json.loads((tmp_path / "a" / "split.json").read_text())
    del facts["objects"]  # as written before there was object detection
    (tmp_path / "a" / "split.json").write_text(json.dumps(facts))
    assert len(EncodedSplit.open(tmp_path / "a")) == 6


def test_an_unlabelled_split_of_detection_data_has_no_objects(digits, tmp_path):
    files = digits[0][:4]
    whole = Samples(files.__getitem__, np.full(4, -1), list("abcd"), objects=lambda _: None)
    split = EncodedSplit.write(tmp_path / "a", whole, range(4), IMAGE)
    assert not split.has_objects
    assert EncodedSplit.open(tmp_path / "a").truth().tolist() == [-1] * 4


def test_a_transform_that_cuts_pictures_refuses_objects(digits, tmp_path):
    files = digits[0][:4]
    whole = Samples(files.__getitem__, np.zeros(4), list("abcd"), ("a",), objects=shown(4))
    with pytest.raises(InputMismatchError, match="letterbox"):
        EncodedSplit.write(tmp_path / "a", whole, range(4), ImageTransform("x", (8, 8), "shortest", 12))


def test_damaged_objects_are_told(digits, tmp_path):
    files = digits[0][:4]
    whole = Samples(files.__getitem__, np.zeros(4), list("abcd"), ("a",), objects=shown(4))
    EncodedSplit.write(tmp_path / "a", whole, range(4), IMAGE)
    ObjectTable.of(shown(3)).save(tmp_path / "a")
    with pytest.raises(DataError, match="counts disagree"):
        EncodedSplit.open(tmp_path / "a")
    (tmp_path / "a" / "objects.boxes.npy").unlink()
    with pytest.raises(DataError, match=r"objects\.boxes\.npy"):
        EncodedSplit.open(tmp_path / "a")
