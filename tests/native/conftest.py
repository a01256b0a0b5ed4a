"""Plans need the compiled executor: where it was not built, only the tests of the build itself are collected, and that
is said. CI sets SPEEDWELL_REQUIRE_NATIVE, which makes a missing executor a failure (test_build.py).
"""

import os
from pathlib import Path

import pytest

from speedwell.native import available

BUILT, WHY_NOT = available()
collect_ignore = (
    []
    if BUILT or os.environ.get("SPEEDWELL_REQUIRE_NATIVE")
    else [p.name for p in Path(__file__).parent.glob("test_*.py") if p.name != "test_build.py"]
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore:
        terminalreporter.write_line(f"tests/native: {len(collect_ignore)} files left out, {WHY_NOT}")
