"""Private training: DP-SGD with per-sample gradients by Opacus, Poisson sampling, secret noise and two accountants.

``import speedwell.training.private`` is cheap; torch and Opacus are imported when a learner is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .accountant import Spent, delta_for, epsilon_of, noise_for
from .secret import Secret

if TYPE_CHECKING:
    from .learner import PrivateLearner
    from .sampling import PoissonLoader

__all__ = ["PoissonLoader", "PrivateLearner", "Secret", "Spent", "delta_for", "epsilon_of", "noise_for"]


def __getattr__(name: str) -> Any:
    if name == "PrivateLearner":
        from .learner import PrivateLearner

        return PrivateLearner
    if name == "PoissonLoader":
        from .sampling import PoissonLoader

        return PoissonLoader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
