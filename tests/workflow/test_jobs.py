from pathlib import Path
from typing import Any

import pytest

from speedwell.core import Hardware, Model, Step, Workload, decode
from speedwell.core.errors import SpeedwellError
from speedwell.workflow import jobs

STEPS = (Step("fuse"),)


def build(model: Model, steps: tuple[Step, ...], artifacts: Path) -> dict[str, Any]:
    return jobs.build(model, steps, artifacts, None, Workload(1, 1, {"image": (1, 1, 8, 8)}), Hardware.here(), 0, 60)


@pytest.fixture
def reader(world: Path, tmp_path: Path) -> Model:
    return decode(Model, jobs.open_model(str(world / "reader.onnx"), None, tmp_path / "original"))


def test_a_product_is_kept_under_its_name_and_built_once(reader: Model, tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    first = build(reader, STEPS, artifacts)
    (kept,) = artifacts.iterdir()
    assert kept.name == jobs.prefix_key(reader, STEPS, 0)
    stamp = (kept / "record").stat().st_mtime_ns
    assert build(reader, STEPS, artifacts) == first
    assert (kept / "record").stat().st_mtime_ns == stamp
    assert decode(Model, first["model"]).payload.is_relative_to(kept)
    assert first["effects"][0]["step"] == "fuse"


def test_a_pass_that_fails_leaves_nothing(reader: Model, tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    with pytest.raises(SpeedwellError):  # static quantization has nothing to calibrate on
        build(reader, (Step("quantize_static"),), artifacts)
    assert not list(artifacts.iterdir())


def test_another_model_step_or_seed_has_another_name(reader: Model) -> None:
    keys = {
        jobs.prefix_key(reader, STEPS, 0), jobs.prefix_key(reader, STEPS, 1), jobs.prefix_key(reader, (), 0),
        jobs.prefix_key(reader, (Step("fuse", {"x": 1}),), 0),
    }  # fmt: skip
    assert len(keys) == 4
