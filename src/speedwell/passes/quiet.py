"""Contain the chatter of libraries: what they print, log or warn is kept as text, not shown to the user."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

__all__ = ["quiet"]


@contextlib.contextmanager
def quiet() -> Iterator[io.StringIO]:
    """Within the block nothing reaches stdout, stderr, ``logging`` or ``warnings``; prints land in what is given.

    Only Python's own streams: a library's C++ code that writes to file descriptor 2 is set quiet by its own options.
    """
    heard = io.StringIO()
    disabled = logging.root.manager.disable
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(heard),
        contextlib.redirect_stderr(heard),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield heard
        finally:
            logging.disable(disabled)
