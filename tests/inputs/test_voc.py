from __future__ import annotations

import pytest

from speedwell.core.errors import CorruptSampleError, DataError, DataNotFoundError, LabelMismatchError
from speedwell.inputs import is_voc, read_voc

from .conftest import png

SIZE = "<size><width>30</width><height>20</height><depth>3</depth></size>"


def thing(name="dog", box=(2, 3, 10, 12), more=""):
    edges = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name>{more}<bndbox>{edges}</bndbox></object>"


def write(folder, files, pictures=None, lists=None):
    for place in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for k, (stem, text) in enumerate(files.items()):
        if isinstance(text, str):
            text = (
                text if text.lstrip().startswith("<") and "annotation" in text else f"<annotation>{text}</annotation>"
            )
            text = text.encode()
        (folder / "Annotations" / f"{stem}.xml").write_bytes(text)
        if pictures is None:
            (folder / "JPEGImages" / f"{stem}.png").write_bytes(png(20, 30, k))
    for name in pictures or ():
        (folder / "JPEGImages" / name).write_bytes(png(20, 30))
    for name, text in (lists or {}).items():
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text(text)
    return folder


def test_pixels_count_from_one_and_difficult_is_ignored(tmp_path):
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    folder = write(
        tmp_path,
        {
            "b": SIZE + thing("cat", (1, 1, 30, 20), "<difficult>1</difficult>"),
            "a": SIZE + thing(box=("2.0", 3, 10, 12), more=part) + thing("cat", (5, 5, 6, 9)),
            "c": SIZE,
        },
    )
    assert is_voc(folder)
    samples = read_voc(folder)
    assert samples.classes == ("cat", "dog")
    assert samples.origins == ["JPEGImages/a.png", "JPEGImages/b.png", "JPEGImages/c.png"]
    assert samples[0].objects.boxes.tolist() == [[1, 2, 10, 12], [4, 4, 6, 9]]
    assert samples[0].objects.classes.tolist() == [1, 0]
    assert samples[1].objects.boxes.tolist() == [[0, 0, 30, 20]]
    assert samples[1].objects.ignore.tolist() == [True]
    assert samples.targets.tolist() == [0, 2, 2]
    assert samples[1].raw == png(20, 30, 0)


def test_a_list_chooses_and_orders(tmp_path):
    files = {s: SIZE + thing() for s in "abcdefgh"}
    folder = write(tmp_path, files, lists={"val": "c\na  1\n\n", "lost": "\n".join("abcdefgx"), "up": "../a"})
    assert read_voc(folder, "val").origins == ["JPEGImages/c.png", "JPEGImages/a.png"]
    (folder / "ImageSets/Main/more.txt").write_text("h\na\n")
    assert read_voc(folder, "val+more").origins == ["JPEGImages/c.png", "JPEGImages/a.png", "JPEGImages/h.png"]
    lost = read_voc(folder, "lost")
    assert len(lost) == 7
    assert [(b.origin, b.reason) for b in lost.bad] == [("x", "there is no x.xml in Annotations")]
    with pytest.raises(DataNotFoundError, match="test") as caught:
        read_voc(folder, "test")
    assert "lost, more, up, val" in caught.value.fix
    for split in ("up", "../../secret"):
        with pytest.raises(DataError, match="outside"):
            read_voc(folder, split)


def test_boxes_of_no_size_are_left_out_and_names_must_be_known(tmp_path):
    folder = write(tmp_path, {"a": SIZE + thing() + thing(box=(7, 7, 7, 9)) + thing(box=(9, 9, 3, 12))})
    samples = read_voc(folder)
    assert len(samples[0].objects) == 1
    assert "2 box(es) without width or height" in samples.warnings[0]
    assert "(a.xml, object 2)" in samples.warnings[0]
    assert read_voc(folder, classes=("cat", "Dog"))[0].objects.classes.tolist() == [1]
    with pytest.raises(LabelMismatchError, match="'dog'"):
        read_voc(folder, classes=("cat",))


def test_pictures_are_found_by_stem_or_by_the_name_in_the_file(tmp_path):
    folder = write(
        tmp_path, {"a": "<filename>x.png</filename>" + thing(), "b": SIZE.replace("30", "0") + thing()},
        ["x.png", "b.jpg", "spare.png"],
    )  # fmt: skip
    samples = read_voc(folder)
    assert samples.origins == ["JPEGImages/x.png", "JPEGImages/b.jpg"]
    assert samples[1].objects.size == (20, 30)  # from the picture, where the file says 0
    assert "2 picture(s)" in samples.warnings[0]
    (folder / "Annotations" / "a.xml").write_text(f"<annotation><filename>../x.png</filename>{thing()}</annotation>")
    with pytest.raises(DataError, match=r"a\.xml names the picture '\.\./x\.png', which leads outside"):
        read_voc(folder)


def test_missing_pictures_are_bad_and_all_missing_is_not_found(tmp_path):
    files = {f"s{i:02}": SIZE + thing() for i in range(25)}
    folder = write(tmp_path, files)
    (folder / "JPEGImages" / "s03.png").unlink()
    assert [b.origin for b in read_voc(folder).bad] == ["s03"]
    for i in range(4, 12):
        (folder / "JPEGImages" / f"s{i:02}.png").unlink()
    with pytest.raises(CorruptSampleError, match="9 of 25"):
        read_voc(folder)
    for path in (folder / "JPEGImages").iterdir():
        path.unlink()
    with pytest.raises(DataNotFoundError, match="none of the 25 pictures"):
        read_voc(folder)
    with pytest.raises(DataNotFoundError, match="Annotations"):
        read_voc(folder / "JPEGImages")


BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
<annotation><object><name>&b;</name></object></annotation>"""
OUTSIDE = '<!DOCTYPE annotation SYSTEM "file:///etc/passwd"><annotation/>'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "document type"),
        (OUTSIDE, "document type"),
        (BOMB.replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16"), "document type"),
        ("<annotation><object>", "is not XML"),
        (b'<?xml version="1.0" encoding="klingon"?><annotation/>', "is not XML"),
        (b"", "is not XML"),
        ("<annotations/>", "holds <annotations>"),
        (thing(name=""), "object 1: no <name>"),
        (thing() + "<object><name>cat</name></object>", "object 2: no <bndbox>"),
        (thing(box=(1, "left", 3, 4)), "object 1: <ymin> is 'left'"),
        (thing().replace("<xmax>10</xmax>", ""), "<xmax> is None"),
        (SIZE, "no box that can be used"),
    ],
)
def test_hostile_and_broken_files_are_refused_by_name(tmp_path, text, told):
    with pytest.raises(DataError, match=told):
        read_voc(write(tmp_path, {"a": text}))


def test_a_huge_file_is_not_read(tmp_path):
    folder = write(tmp_path, {"a": thing()})
    with (folder / "Annotations" / "a.xml").open("ab") as file:
        file.truncate(17 << 20)
    with pytest.raises(DataError, match="larger than 16 MB"):
        read_voc(folder)
