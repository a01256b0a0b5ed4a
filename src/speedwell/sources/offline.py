"""Nothing leaves the machine: the hub libraries are told so before they are imported, and are kept quiet."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

__all__ = ["SETTINGS", "go_offline", "hushed"]

SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
}


def go_offline() -> None:
    """Set ``SETTINGS`` for this process. A hub library that is imported already only ever gets local folders."""
    os.environ.update(SETTINGS)


@contextlib.contextmanager
def hushed(transformers: Any) -> Iterator[None]:
    """No progress bars and no notes from transformers inside; as before after."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
