from pathlib import Path

import numpy as np
import pytest

from speedwell.core import Context, Hardware, Model, Workload
from speedwell.core.context import Arrays


def test_a_context_offers_no_recovery_unless_the_caller_gives_it(tmp_path: Path) -> None:
    def run(_: Model, inputs: Arrays) -> Arrays:
        return inputs

    context = Context(lambda: iter([{"x": np.ones(2)}]), run, Workload(1, 1), Hardware.here(), tmp_path)
    assert context.train is None
    assert context.time is None
    assert context.recover is None
    assert context.budget_seconds == float("inf")
    assert [next(iter(b)) for b in context.calibration()] == ["x"]
    assert [next(iter(b)) for b in context.calibration()] == ["x"], "the same batches each time"
    with pytest.raises(AttributeError):
        context.seed = 1  # type: ignore[misc]
