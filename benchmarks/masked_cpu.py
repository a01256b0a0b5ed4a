"""``masked``: what makes a process, and all libraries in it, see a CPU with AVX2 and nothing newer (masked_cpu.cpp)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from speedwell.engines.inductor import compiler

__all__ = ["MaskError", "masked"]

SOURCE = Path(__file__).with_suffix(".cpp")
ASK = "from speedwell.native import supported_isas; print(*supported_isas())"


class MaskError(Exception):
    """Raised where the machine cannot do it; the text says why."""


def masked(folder: Path) -> Mapping[str, str]:
    """Variables for the environment of the process to mask. Compiled into ``folder``, and tried once."""
    if not compiler():
        raise MaskError("no C++ compiler: apt-get install g++, or set CXX")
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "masked_cpu.so"
    command = [compiler(), "-std=c++17", "-O1", "-shared", "-fPIC", str(SOURCE), "-o", str(library), "-ldl"]
    if (done := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
        raise MaskError(f"it does not compile here: {done.stderr[-300:]}")
    environment = {"LD_PRELOAD": str(library)}
    asked = [sys.executable, "-c", ASK]
    done = subprocess.run(asked, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode or "512" in done.stdout:
        raise MaskError(
            f"CPUID does not fault here (Linux on a CPU that can): {done.stdout.strip() or done.stderr[-200:]}"
        )
    return environment
