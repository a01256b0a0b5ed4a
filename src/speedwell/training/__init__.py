"""The training room: recipes, losses, the guarded and resumable loop, parallel processes.

``import speedwell.training`` imports torch; the records of ``recipe.py`` do not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batch import Batch, BatchMaker, batch_maker
    from .evaluate import evaluated
    from .learner import Learner
    from .loader import Loader
    from .loop import Trained, train
    from .parallel import Ranks, joined

__all__ = [
    "Batch", "BatchMaker", "Learner", "Loader", "Ranks", "Trained", "batch_maker", "evaluated", "joined", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("Batch", "BatchMaker", "batch_maker"):
        from . import batch as module
    elif name == "evaluated":
        from . import evaluate as module  # type: ignore[no-redef]
    elif name == "Learner":
        from . import learner as module  # type: ignore[no-redef]
    elif name == "Loader":
        from . import loader as module  # type: ignore[no-redef]
    elif name in ("Trained", "train"):
        from . import loop as module  # type: ignore[no-redef]
    elif name in ("Ranks", "joined"):
        from . import parallel as module  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(module, name)
