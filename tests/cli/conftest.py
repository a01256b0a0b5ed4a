"""The command line as a user runs it: real processes on the small world of ``tests/workflow``."""

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow"))

import small_world as w


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small world, and ``plugins/`` with a fast engine ("remembers") and one that slips now and then ("slips")."""
    folder = w.make_world(tmp_path_factory.mktemp("world"))
    w.write_engines(folder / "plugins", "Remembers", "Slips")
    return folder


@pytest.fixture(scope="session")
def speedwell(world: Path) -> Callable[..., CompletedProcess[str]]:
    """``speedwell("doctor", cwd=...)``: run it with the planted engines installed."""

    def call(*arguments: object, cwd: Path, **options: object) -> CompletedProcess[str]:
        return w.command(*arguments, cwd=cwd, environment={"PYTHONPATH": str(world / "plugins")}, **options)  # type: ignore[arg-type]

    return call


@pytest.fixture(scope="session")
def finished(
    world: Path, speedwell: Callable[..., CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, CompletedProcess[str]]:
    """A run that ends with a certified bundle, as JSON lines; its working folder and what was printed."""
    folder = tmp_path_factory.mktemp("finished")
    done = speedwell(
        "accelerate", world / "slow_reader.onnx", "--data", world / "scans", "--engines=remembers", "--passes=fuse",
        "--json", "--run=run", "--out=bundle", *w.QUICK_OPTIONS, *w.IMAGE_OPTIONS, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


@pytest.fixture(scope="session")
def unlabelled(
    world: Path, speedwell: Callable[..., CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run on images without labels whose winner answers differently now and then; ``labels.npy`` has the truth."""
    import numpy as np

    folder = tmp_path_factory.mktemp("unlabelled")
    pixels, labels = w.digits()
    np.savez(folder / "scans.npz", images=pixels[400:])
    np.save(folder / "labels.npy", labels[400:])
    done = speedwell(
        "accelerate", world / "slow_reader.onnx", "--data=scans.npz", "--agree=90%", "--engines=slips", "--passes=fuse",
        "--quiet", "--run=run", "--out=bundle", *w.QUICK_OPTIONS, *w.IMAGE_OPTIONS, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "said.txt").write_text(done.stdout)
    return folder
