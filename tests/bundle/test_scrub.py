from __future__ import annotations

import getpass
import platform
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.bundle.scrub import leaks, scrub, scrub_text

PATHS = [
    "/home/ada/nets/net.onnx",
    "/Users/ada/net.onnx",
    "/tmp/run-3/net.onnx",
    "~/nets/net.onnx",
    r"C:\Users\ada\net.onnx",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_found_and_cut_to_its_last_part(path: str) -> None:
    text = f"opened '{path}', then ran"
    assert list(leaks({"note": [text]})) == [text]
    assert list(leaks({path: 1})) == [path]
    assert scrub_text(text) == "opened 'net.onnx', then ran"
    assert list(leaks(scrub({"note": [text], path: (text,)}))) == []


@pytest.mark.parametrize(
    "text",
    ["/layer1/conv1/Conv", "3.4 ms/run", "a/b", "https://example.org/home/x", "/m/01abc", "root", "and/or", "12:30"],
)
def test_what_is_no_path_is_left_alone(text: str) -> None:
    assert list(leaks(text)) == []
    assert scrub_text(text) == text


def test_the_home_and_working_folder_of_this_machine_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/export/staff/ada")
    assert list(leaks("see /export/staff/ada/run")) != []
    assert list(leaks(str(Path.cwd() / "x"))) != []


def test_user_and_host_names_are_found_where_they_are_distinctive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "adalovelace")
    monkeypatch.setattr(platform, "node", lambda: "engine-no1.example.org")
    for text in ("by adalovelace", "on ENGINE-NO1", "engine-no1.example.org:22"):
        assert list(leaks(text)) == [text]
    assert list(leaks("adalovelaces")) == []
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    monkeypatch.setattr(platform, "node", lambda: "vm")
    assert list(leaks("root of the vm")) == []


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)))
def test_scrubbing_twice_changes_nothing_more(value: object) -> None:
    assert scrub(scrub(value)) == scrub(value)
