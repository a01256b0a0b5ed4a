from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from speedwell.core.errors import CorruptSampleError, DataError, LabelMismatchError
from speedwell.inputs import BadSample, Objects, ObjectTable, Samples, check_bad, rarest_classes, raw_digest


def samples(raws, targets, classes=()):
    return Samples(list(raws).__getitem__, np.array(targets), [f"s{i}" for i in range(len(targets))], classes)


def test_a_sample_holds_raw_target_digest_and_origin():
    one = samples(["x", "y"], [1, -1], ("a", "b"))
    assert (one[0].raw, one[0].target, one[0].origin) == ("x", 1, "s0")
    assert one[1].target is None
    assert one[0].digest == raw_digest("x")
    assert [s.raw for s in one] == ["x", "y"]
    assert one.labelled


def test_an_index_outside_is_an_index_error():
    with pytest.raises(IndexError, match="2 of 2"):
        samples(["x", "y"], [0, 1])[2]


def test_reading_is_lazy():
    read = []
    lazy = Samples(lambda i: read.append(i) or "x", np.zeros(5), list("abcde"))
    assert read == []
    lazy[3]
    assert read == [3]


def test_an_unreadable_file_is_a_bad_sample_with_its_origin(tmp_path):
    files = [tmp_path / str(i) for i in range(40)]
    for file in files[:-1]:
        file.write_bytes(file.name.encode())
    some = Samples(lambda i: files[i].read_bytes(), np.zeros(40), [f.name for f in files])
    digests = some.digests()
    assert digests[-1] == ""
    assert [b.origin for b in some.bad] == ["39"]
    assert "No such file" in some.bad[0].reason
    assert some.digests() == digests
    assert len(some.bad) == 1


def test_a_few_bad_samples_never_stop_a_run_and_six_percent_do():
    bad = [BadSample(f"s{i}", "broken") for i in range(6)]
    check_bad([], 0)
    check_bad(bad[:3], 16)
    check_bad(bad[:5], 100)
    with pytest.raises(CorruptSampleError, match=r"6 of 100 .* s0: broken"):
        check_bad(bad, 100)
    with pytest.raises(CorruptSampleError, match="1 of 1"):
        check_bad(bad[:1], 1)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=8))
def test_a_digest_is_of_the_content(values):
    array = np.array(values, np.uint8)
    assert raw_digest(array) == raw_digest(array.copy())
    assert raw_digest(array) != raw_digest(array.astype(np.int64))
    assert raw_digest(bytes(values)) != raw_digest(bytes(values) + b"\0")
    assert raw_digest({"a": array, "b": array}) == raw_digest({"b": array, "a": array})


def test_a_digest_tells_images_and_pairs_apart():
    image = Image.new("RGB", (2, 3))
    assert raw_digest(image) != raw_digest(Image.new("RGB", (3, 2)))
    assert raw_digest(("a", "bc")) != raw_digest(("ab", "c"))
    with pytest.raises(DataError, match="object"):
        raw_digest(object())


def test_joined_sets_agree_on_classes_by_name():
    joined = Samples.join([samples("ab", [0, 1], ("cat", "dog")), samples("cd", [0, 1], ("dog", "owl"))])
    assert joined.classes == ("cat", "dog", "owl")
    assert joined.targets.tolist() == [0, 1, 1, 2]
    assert [s.raw for s in joined] == list("abcd")
    assert "owl" in joined.warnings[0]


def test_joined_numbers_mean_the_other_sets_names():
    joined = Samples.join([samples("ab", [0, 1], ("cat", "dog")), samples("cd", [1, -1], ("0", "1"))])
    assert joined.classes == ("cat", "dog")
    assert joined.targets.tolist() == [0, 1, 1, -1]
    with pytest.raises(LabelMismatchError, match="label 2"):
        Samples.join([samples("ab", [0, 1], ("cat", "dog")), samples("cd", [1, 2], ("0", "1", "2"))])


def test_taken_samples_keep_their_order():
    part = samples("abcd", [0, 1, 0, 1], ("x", "y")).take([3, 0])
    assert [(s.raw, s.target, s.origin) for s in part] == [("d", 1, "s3"), ("a", 0, "s0")]


def pictures(classes, *shown):
    """Detection data of 4x4 pictures; ``shown``: the classes that each shows."""
    found = [Objects.of([[0, 0, 2, 2]] * len(c), c, (4, 4)) for c in shown]
    targets = rarest_classes(ObjectTable.of(found), len(classes))
    names = [f"p{i}" for i in range(len(shown))]
    return Samples(names.__getitem__, targets, names, classes, objects=found)


def test_objects_come_with_their_sample_and_survive_take():
    some = pictures(("cat", "dog"), [0, 1], [], [0])
    assert some.has_objects
    assert some[1].objects is some.objects(1)
    assert some[-1].objects.classes.tolist() == [0]
    assert some.targets.tolist() == [1, 2, 0]
    part = some.take([2, 0])
    assert [o.classes.tolist() for o in (part.objects(0), part.objects(1))] == [[0], [0, 1]]
    assert not samples("ab", [0, 1]).has_objects
    assert samples("ab", [0, 1]).objects(0) is None
    with pytest.raises(IndexError, match="3 of 3"):
        some.objects(3)
    with pytest.raises(ValueError, match="3 targets, objects of 2"):
        Samples(list, np.zeros(3), list("abc"), objects=[some.objects(0)] * 2)


def test_objects_may_be_made_when_asked_for():
    made = []
    lazy = Samples(
        lambda _: "x", np.zeros(5), list("abcde"), objects=lambda i: made.append(i) or Objects.of([], [], (1, 1))
    )
    assert made == []
    lazy.take([3, 4])[1]
    assert made == [4]


def test_joined_objects_agree_on_classes_by_name():
    joined = Samples.join([pictures(("cat", "dog"), [0, 1], []), pictures(("dog", "owl"), [0, 1, 1], [1], [])])
    assert joined.classes == ("cat", "dog", "owl")
    assert [joined.objects(i).classes.tolist() for i in range(5)] == [[0, 1], [], [1, 2, 2], [2], []]
    assert joined.targets.tolist() == [0, 3, 1, 2, 3]
    named = Samples.join([pictures(("cat", "dog"), [0]), pictures(("0", "1"), [1], [])])
    assert named.objects(1).classes.tolist() == [1]
    assert named.targets.tolist() == [0, 1, 2]
    with pytest.raises(LabelMismatchError, match="label 2 is beyond the 2"):
        Samples.join([pictures(("cat", "dog"), [0]), pictures(("0", "1", "2"), [2, 0])])


def test_boxes_and_class_labels_do_not_mix_and_unlabelled_may():
    boxes = pictures(("cat", "dog"), [0, 1])
    with pytest.raises(DataError, match="some of the data has boxes"):
        Samples.join([boxes, samples("ab", [0, 1], ("cat", "dog"))])
    joined = Samples.join([boxes, samples("ab", [-1, -1])])
    assert joined.targets.tolist() == [0, -1, -1]
    assert joined[2].objects is None
    assert joined[0].objects.classes.tolist() == [0, 1]
