"""Speedwell: your trained model in; the fastest model that still keeps your accuracy promise out.

The verbs load what they need when they are first used; ``import speedwell`` itself loads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .workflow.accelerate import accelerate
    from .workflow.compare import compare
    from .workflow.demo import demo
    from .workflow.doctor import doctor
    from .workflow.label import label
    from .workflow.open import open
    from .workflow.train import train
    from .workflow.verify import verify

__version__ = "0.1.0"
__all__ = [
    "SpeedwellError",
    "__version__",
    "accelerate",
    "compare",
    "demo",
    "doctor",
    "label",
    "open",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    verb: Any
    if name == "SpeedwellError":
        from .core.errors import SpeedwellError

        verb = SpeedwellError
    elif name == "accelerate":
        from .workflow.accelerate import accelerate as verb
    elif name == "compare":
        from .workflow.compare import compare as verb
    elif name == "demo":
        from .workflow.demo import demo as verb
    elif name == "doctor":
        from .workflow.doctor import doctor as verb
    elif name == "label":
        from .workflow.label import label as verb
    elif name == "open":
        from .workflow.open import open as verb
    elif name == "train":
        from .workflow.train import train as verb
    elif name == "verify":
        from .workflow.verify import verify as verb
    else:
        raise AttributeError(f"module 'speedwell' has no attribute {name!r}")
    return verb


def __dir__() -> list[str]:
    return sorted(__all__)
