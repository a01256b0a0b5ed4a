"""What holds for every test: signals work as in a terminal, however the tests were started; keys go to our own home."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# Started in the background (nohup, some CI), this process is born with SIGINT ignored, and so would be every child: a
# test of Ctrl-C would test nothing. A caught signal is reset to its default in a child.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """``SPEEDWELL_HOME`` of this session: keys made here are nobody's."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("home")
    patch.setenv("SPEEDWELL_HOME", str(folder))
    yield folder
    patch.undo()
