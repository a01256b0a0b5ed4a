from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from speedwell.core.errors import OutputError, RunError
from speedwell.report import ShownSample, read_run, render_html, write_html

KINDS = ("certified", "kept", "nothing_faster", "undecided", "interrupted", "agreement", "hostile")
VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """Elements with their attributes; ``open`` must be empty when all is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.errors: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.errors.append(tag)

    def all(self, tag):
        return [a for t, a in self.found if t == tag]


@pytest.fixture(scope="module")
def pages(run_folder):
    return {kind: render_html(read_run(run_folder(kind))) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_is_well_formed_with_one_h1_and_unique_ids(pages, kind):
    page = Page(pages[kind])
    assert page.errors == []
    assert page.open == []
    ids = [a["id"] for _, a in page.found if "id" in a]
    assert len(ids) == len(set(ids))
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert all(a["aria-labelledby"] in ids for a in page.all("section"))
    assert len(page.all("caption")) == len(page.all("table"))
    for svg in page.all("svg"):
        assert svg["role"] == "img"
        assert all(part in ids for part in svg["aria-labelledby"].split())


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_reaches_for_anything_outside_itself(pages, kind):
    page = Page(pages[kind])
    for tag, attributes in page.found:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, value)
        assert not any(name.startswith("on") or name == "style" for name in attributes), attributes
    assert "url(" not in pages[kind]
    assert "@import" not in pages[kind]


def test_the_policy_allows_its_own_script_and_style_and_no_other(pages):
    text = pages["certified"]
    policy = next(a["content"] for a in Page(text).all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S).group(1)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_hostile_strings_stay_text(pages):
    page = Page(pages["hostile"])
    assert page.all("img") == []
    assert len(page.all("script")) == 2
    assert "\x1b" not in pages["hostile"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [("certified", "Promise kept"), ("kept", "Keep the original"), ("undecided", "Undecided"),
     ("interrupted", "Nothing was confirmed in this run"), ("nothing_faster", "There is no winner")],
)  # fmt: skip
def test_the_verdict_is_on_the_page(pages, kind, words):
    assert words in pages[kind]
    assert "never below" not in pages[kind]


def test_samples_appear_only_when_handed_in(run_folder, pages):
    run = read_run(run_folder("certified"))
    shown = render_html(run, [ShownSample("pay bill", "change pin", text="how do I reset <my> pin?")])
    assert "how do I reset &lt;my&gt; pin?" in shown
    assert "The samples themselves are not shown" in pages["certified"]


def test_a_number_and_its_unit_stay_on_one_line(pages):
    assert "95.2\u00a0%" in pages["certified"]


def test_the_file_is_written_whole_or_not_at_all(run_folder, tmp_path):
    out = tmp_path / "a.html"
    assert write_html(run_folder("certified"), out) == out
    assert out.read_text(encoding="utf-8").endswith("</html>")
    with pytest.raises(OutputError, match="cannot write the report"):
        write_html(run_folder("certified"), tmp_path / "missing" / "a.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OutputError):
        write_html(run_folder("certified"), tmp_path / "folder.html")
    with pytest.raises(RunError):
        write_html(tmp_path, out)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "folder.html"]
