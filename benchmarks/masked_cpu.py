"""``masked``: what makes a process, and all libraries in it, see a CPU with AVX2 and nothing newer (masked_cpu.cpp).

Any command on such a CPU, with a /proc/cpuinfo that agrees (in a mount namespace of its own: Linux, as root or where
user namespaces are allowed):

    python benchmarks/masked_cpu.py speedwell accelerate ...
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from speedwell.engines.inductor import compiler

__all__ = ["MaskError", "masked"]

SOURCE = Path(__file__).with_suffix(".cpp")
ASK = "from speedwell.native import supported_isas; print(*supported_isas())"

NEWER = re.compile(r"avx512\w*|avx_vnni\w*|amx_\w+|avx_ifma|avx_ne_convert|avx10\w*")
"""Flags of /proc/cpuinfo beyond AVX2, as Linux spells them (arch/x86/include/asm/cpufeatures.h)."""


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


def masked_cpuinfo(text: str) -> str:
    """/proc/cpuinfo without the flags of what is masked."""
    lines = text.splitlines(keepends=True)
    return "".join(NEWER.sub("", line) if line.startswith("flags") else line for line in lines)


def main(command: list[str]) -> int:
    """Run ``command`` masked; its exit status."""
    if not command:
        raise SystemExit("usage: masked_cpu.py COMMAND [ARGUMENT...]")
    with tempfile.TemporaryDirectory(prefix="speedwell-mask-") as name:
        folder = Path(name)
        try:
            environment = {**os.environ, **masked(folder)}
        except MaskError as error:
            raise SystemExit(str(error)) from None
        cpuinfo = folder / "cpuinfo"
        cpuinfo.write_text(masked_cpuinfo(Path("/proc/cpuinfo").read_text()))
        own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
        cover = ["sh", "-c", 'mount --bind "$0" /proc/cpuinfo && exec "$@"', str(cpuinfo)]
        return subprocess.run([*own, *cover, *command], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
