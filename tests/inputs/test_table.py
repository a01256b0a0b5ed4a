from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core.errors import CorruptSampleError, DataError, DataNotFoundError
from speedwell.inputs import column_names, read_table

ROWS = [
    ("where is my card", "card"),
    ('he said "no", twice', "other"),
    ("line\nbreak", "card"),
    ("naïve 東京", "other"),
]


def write(path, text, encoding="utf-8"):
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def as_csv(rows, delimiter=","):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([("text", "category"), *rows])
    return out.getvalue()


def as_lines(rows):
    return "".join(json.dumps({"text": t, "category": c}) + "\n" for t, c in rows)


def as_list(rows):
    return json.dumps([{"text": t, "category": c} for t, c in rows])


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        ("csv", as_csv(ROWS)),
        ("csv", "\ufeff" + as_csv(ROWS)),
        ("csv", as_csv(ROWS, ";")),
        ("jsonl", as_lines(ROWS)),
        ("json", as_lines(ROWS)),
        ("json", as_list(ROWS)),
    ],
)
def test_every_kind_of_table_gives_the_same_samples(tmp_path, suffix, text, gz):
    path = write(tmp_path / f"data.{suffix}{gz}", text)
    samples = read_table(path)
    assert [s.raw for s in samples] == [t for t, _ in ROWS]
    assert samples.classes == ("card", "other")
    assert samples.targets.tolist() == [0, 1, 0, 1]
    assert column_names(path) == ["text", "category"]


def test_a_tsv_with_lone_quotes_keeps_all_its_rows(tmp_path):
    path = write(tmp_path / "a.tsv", 'sentence\tlabel\n" unclosed\t1\nfine\t0\n6" long\t1\n')
    samples = read_table(path)
    assert [s.raw for s in samples] == ['" unclosed', "fine", '6" long']
    quoted = write(tmp_path / "b.tsv", 'sentence\tlabel\n"a ""quoted"" one"\t1\nfine\t0\n')
    assert read_table(quoted)[0].raw == 'a "quoted" one'


def test_a_table_without_a_header_takes_the_longer_column_as_text(tmp_path):
    path = write(tmp_path / "a.tsv", "".join(f"{i % 2}\ta rather good film, number {i}\n" for i in range(9)))
    samples = read_table(path)
    assert len(samples) == 9
    assert samples[0].raw == "a rather good film, number 0"
    assert samples.targets.tolist() == [i % 2 for i in range(9)]
    assert read_table(path, text_column="1", label_column="0").targets.tolist() == samples.targets.tolist()


def test_lists_inside_a_json_object_are_splits(tmp_path):
    path = write(tmp_path / "a.json.gz", json.dumps({"train": [["one two", "x"]], "test": [["three four", "y"]]}))
    assert read_table(path, split="test")[0].raw == "three four"
    with pytest.raises(DataError, match="several lists: train, test"):
        read_table(path)
    with pytest.raises(DataError, match="no list 'val'; there are train, test"):
        read_table(path, split="val")


def test_bad_rows_are_listed_with_their_line(tmp_path):
    rows = [f"text {i},{i % 2}\n" for i in range(60)]
    path = write(tmp_path / "a.csv", "".join(["text,label\n", *rows[:5], "a,b,c\n", *rows[5:], "  ,1\n"]))
    samples = read_table(path)
    assert len(samples) == 60
    assert {(b.origin, b.reason) for b in samples.bad} == {
        ("a.csv:7", "3 columns instead of 2"),
        ("a.csv:63", "no text in text"),
    }


def test_lines_that_are_no_json_are_listed(tmp_path):
    text = "".join(json.dumps({"text": f"t{i}", "label": i % 2}) + "\n" for i in range(30)) + "{oops\n"
    samples = read_table(write(tmp_path / "a.jsonl", text))
    assert len(samples) == 30
    assert samples.bad[0].origin == "a.jsonl:31"
    assert "not JSON" in samples.bad[0].reason


def test_too_many_bad_rows_are_refused(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\n" + "a,b,c\nfine,1\n" * 10)
    with pytest.raises(CorruptSampleError, match="10 of 20"):
        read_table(path)


def test_an_empty_label_means_unlabelled(tmp_path):
    samples = read_table(write(tmp_path / "a.csv", "text,label\none,x\ntwo,\n"))
    assert samples.targets.tolist() == [0, -1]


def test_two_columns_make_pairs(tmp_path):
    path = write(tmp_path / "a.csv", "premise,hypothesis,label\na,b,0\nc,d,1\n")
    assert read_table(path, text_column="premise,hypothesis")[1].raw == ("c", "d")


def test_a_list_of_labels_is_a_bad_row(tmp_path):
    rows = [{"text": f"t{i}", "label": i % 2} for i in range(40)] + [{"text": "x", "label": [1, 0]}]
    samples = read_table(write(tmp_path / "a.json", json.dumps(rows)))
    assert "not one class" in samples.bad[0].reason


def test_files_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(DataNotFoundError):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="not utf-8") as caught:
        read_table(write(tmp_path / "a.csv", "text,label\ncafé,1\n", "latin-1"))
    assert "iconv" in caught.value.fix
    assert read_table(tmp_path / "a.csv", encoding="latin-1")[0].raw == "café"
    (tmp_path / "b.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "b.csv.gz")
    with pytest.raises(DataError, match="is no table"):
        read_table(write(tmp_path / "c.txt", "x"))
    with pytest.raises(DataError, match="cannot hold images"):
        read_table(write(tmp_path / "d.csv", "image,label\nx.jpg,1\n"))
    with pytest.raises(DataError, match="no text column"):
        read_table(write(tmp_path / "e.csv", ""))
    with pytest.raises(DataError, match="no encoding"):
        read_table(tmp_path / "d.csv", encoding="klingon")


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip)


@given(st.lists(st.tuples(words, st.sampled_from(["x", "y"])), min_size=1, max_size=20))
def test_what_a_csv_writer_writes_is_read_back(tmp_path_factory, rows):
    path = write(tmp_path_factory.mktemp("t") / "a.csv", as_csv(rows))
    samples = read_table(path)
    assert [(s.raw, samples.classes[s.target]) for s in samples] == rows
