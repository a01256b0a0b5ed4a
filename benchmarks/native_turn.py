"""``runs_a_turn``: how often an operator runs in one turn of a round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speedwell.native import Session

__all__ = ["runs_a_turn"]


def runs_a_turn(session: Session, inputs: Sequence[np.ndarray], seconds: float) -> int:
    """Runs that take about ``seconds``, by the executor's clock: 3 to 1,000."""
    once = min(session.profile(inputs, 3)[0][2] for _ in range(3))
    return int(np.clip(seconds / max(once, 1e-7), 3, 1000))
