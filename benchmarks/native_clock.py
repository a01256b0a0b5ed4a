"""``Clock``: the frequency of this core now, from additions that wait for one another (one takes one cycle)."""

from __future__ import annotations

import ctypes
import subprocess
import time
from pathlib import Path

from speedwell.engines.inductor import compiler

__all__ = ["HOW", "Clock"]

HOW = "clock from dependent additions, one a cycle"
STEPS, ADDITIONS = 20_000, 100
SOURCE = """
extern "C" void additions(long steps) {
  long x = 1, y = 1;
  for (; steps > 0; --steps) {
#if defined(__x86_64__)
    __asm__ volatile(".rept 100\\n add %1, %0\\n .endr" : "+r"(x) : "r"(y));
#elif defined(__aarch64__)
    __asm__ volatile(".rept 100\\n add %0, %0, %1\\n .endr" : "+r"(x) : "r"(y));
#endif
  }
}
"""


class Clock:
    """Compiled into ``folder``. Raises ``FileNotFoundError`` where there is no C++ compiler."""

    def __init__(self, folder: Path) -> None:
        if not compiler():
            raise FileNotFoundError("no C++ compiler: the clock is not measured. apt-get install g++, or set CXX")
        source, library = folder / "clock.cpp", folder / "clock.so"
        source.write_text(SOURCE)
        subprocess.run([compiler(), "-O1", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        self._additions = ctypes.CDLL(str(library)).additions
        self._additions.argtypes = [ctypes.c_long]

    def gigahertz(self) -> float:
        """Cycles a nanosecond over about a millisecond."""
        began = time.perf_counter()
        self._additions(STEPS)
        return STEPS * ADDITIONS / (time.perf_counter() - began) / 1e9
