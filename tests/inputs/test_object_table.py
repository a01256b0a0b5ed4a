from __future__ import annotations

import numpy as np
import pytest

from speedwell.core.errors import DataError
from speedwell.inputs import Objects, ObjectTable, rarest_classes

PICTURES = [
    Objects.of([[0, 0, 2, 2], [1, 1, 3, 4]], [0, 2], (5, 6), [True, False], (1.5, 0, 7, 5)),
    Objects.of([], [], (7, 8)),
    Objects.of([[2, 2, 4, 4]], [1], (9, 9)),
]


def test_a_table_gives_back_each_picture(tmp_path):
    ObjectTable.of(PICTURES).save(tmp_path)
    for table in (ObjectTable.of(PICTURES), ObjectTable.open(tmp_path)):
        assert len(table) == 3
        for have, want in zip(table, PICTURES, strict=True):
            assert have.same(want)
            assert have.window == want.window
        assert table[-1].same(PICTURES[2])
        assert [o.size for o in table[1:]] == [(7, 8), (9, 9)]
        with pytest.raises(IndexError):
            table[3]
    assert isinstance(ObjectTable.open(tmp_path).boxes, np.memmap)


def test_pictures_without_objects_are_stored_too(tmp_path):
    ObjectTable.of(PICTURES[1:2]).save(tmp_path)
    assert len(ObjectTable.open(tmp_path)[0]) == 0


@pytest.mark.parametrize("damage", ["missing", "short", "type", "offsets"])
def test_damage_is_told(tmp_path, damage):
    ObjectTable.of(PICTURES).save(tmp_path)
    if damage == "missing":
        (tmp_path / "objects.boxes.npy").unlink()
    elif damage == "short":
        np.save(tmp_path / "objects.classes.npy", np.zeros(2, np.int64))
    elif damage == "type":
        np.save(tmp_path / "objects.boxes.npy", np.zeros((3, 4)))
    else:
        np.save(tmp_path / "objects.offsets.npy", np.array([0, 5, 2, 3]))
    with pytest.raises(DataError, match=r"objects\.|counts disagree"):
        ObjectTable.open(tmp_path)


def test_a_picture_counts_as_its_rarest_class():
    def picture(*classes, ignore=None):
        return Objects.of([[0, 0, 1, 1]] * len(classes), classes, (2, 2), ignore)

    table = ObjectTable.of([picture(0, 1), picture(0, 2), picture(0, 1), picture(), picture(1, 2, ignore=[1, 0])])
    # 0 is seen three times, 1 twice (an ignored one does not count), 2 twice: of equals the lower goes first
    assert rarest_classes(table, 4).tolist() == [1, 2, 1, 4, 2]
    only_ignored = ObjectTable.of([picture(1, ignore=[True])])
    assert rarest_classes(only_ignored, 2).tolist() == [2]
