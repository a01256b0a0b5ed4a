"""``Interruption``: Ctrl-C and SIGTERM wait for the end of a step, so that what is saved is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType

__all__ = ["Interruption"]


class Interruption:
    """Inside, the first signal sets ``wanted``; a second one ends at once. Elsewhere than in the main thread signals
    are left alone.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._asked)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _asked(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
