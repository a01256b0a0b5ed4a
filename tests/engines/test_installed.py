from __future__ import annotations

from importlib.metadata import version

import pytest

from speedwell.engines.installed import installed, release


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("2.13.0+cpu", (2, 13, 0)), ("1.20", (1, 20)), ("2026.4.1-2031-abc", (2026, 4, 1)), ("unknown", ())],
)
def test_a_release_is_the_leading_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert release(text) == numbers


def test_what_is_there_has_its_version() -> None:
    found = installed("numpy", "1.0")
    assert found.ok
    assert found.version == version("numpy")


def test_what_is_missing_says_the_command_with_the_extra() -> None:
    missing = installed("no_such_library", "1.0", "openvino")
    assert not missing.ok
    assert missing.why_not == 'no_such_library is not installed. pip install "speedwell[openvino]"'


def test_what_is_too_old_says_the_version_and_the_command() -> None:
    old = installed("numpy", "99.1")
    assert not old.ok
    assert old.version == version("numpy")
    assert "older than 99.1" in old.why_not
    assert 'pip install --upgrade "numpy>=99.1"' in old.why_not


def test_a_module_that_breaks_the_search_is_a_reason_not_an_error() -> None:
    assert "cannot be found" in installed("no_such_package.inner", "1.0").why_not


def test_a_distribution_of_another_name_is_found() -> None:
    assert installed("PIL", "5.0", distributions=("no-such-name", "Pillow")).version == version("Pillow")
    assert installed("PIL", "5.0", distributions=("no-such-name",)).version == "unknown"
