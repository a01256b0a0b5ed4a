"""Runs that must survive: the small world of ``tests/workflow``, with engines that do everything wrong."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow"))
sys.path.insert(0, str(Path(__file__).parent))

import small_world as w
from watched_run import Watched, watch


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return w.make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def watched(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return watch(world, tmp_path_factory.mktemp("watched"))
