from pathlib import Path
from typing import Any

import pytest

from speedwell.core.errors import UsageError
from speedwell.workflow.live import take_live

NONE: dict[str, Any] = {"data": None, "calibration": None, "selection": None, "confirmation": None}


class Module:
    """What tells an ``nn.Module``."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def forward(self, x: Any) -> Any:
        return x


def test_paths_stay_paths() -> None:
    live = take_live(Path("m.onnx"), {**NONE, "data": Path("d"), "confirmation": "c"})
    assert (live.reference, live.module, live.sets) == ("m.onnx", None, None)
    assert live.paths == {**NONE, "data": "d", "confirmation": "c"}


def test_live_objects_are_kept_beside_the_reference() -> None:
    module, pairs = Module(), [(1, 2)]
    live = take_live(module, {**NONE, "data": pairs, "confirmation": "c"})
    assert live.reference == "live"
    assert live.module is module
    assert live.sets == {"data": pairs, "confirmation": "c"}
    assert live.paths["data"] == "live"


def test_anything_else_is_no_model() -> None:
    with pytest.raises(UsageError, match="the model is a int") as error:
        take_live(3, NONE)
    assert "nn.Module" in error.value.fix
