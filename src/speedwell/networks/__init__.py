"""Built-in networks for each task, to train from scratch: small, exported cleanly, fast in int8.

``import speedwell.networks`` is cheap: torch is imported when a network is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..core.errors import UnknownNameError, UsageError
from ..core.extras import try_import

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "build_network"]


def _residual(**arguments: Any) -> nn.Module:
    from .residual import residual

    return residual(**arguments)


def _mobile(**arguments: Any) -> nn.Module:
    from .mobile import mobile

    return mobile(**arguments)


def _encoder(**arguments: Any) -> nn.Module:
    from .encoder import encoder

    return encoder(**arguments)


def _detector(**arguments: Any) -> nn.Module:
    from .detector import detector

    return detector(**arguments)


NETWORKS: dict[str, tuple[str, Callable[..., nn.Module]]] = {
    "residual": ("image-classification", _residual),
    "mobile": ("image-classification", _mobile),
    "detector": ("object-detection", _detector),
    "encoder": ("text-classification", _encoder),
}
"""Name to (the task it is for, what builds it)."""


def build_network(name: str, **arguments: Any) -> nn.Module:
    """A built-in network with random weights (from torch's generator), in training mode.

    ``arguments``: those of the network's own function; plain JSON, because they are recorded with the weights.
    Raises ``UnknownNameError``, or ``UsageError`` for arguments that it does not take.
    """
    try_import("torch")
    if name not in NETWORKS:
        raise UnknownNameError(f"there is no built-in network {name!r}", f"There are: {', '.join(NETWORKS)}.")
    try:
        return NETWORKS[name][1](**arguments)
    except TypeError as error:
        raise UsageError(f"the network {name!r} cannot be built with {arguments!r}: {error}") from error
