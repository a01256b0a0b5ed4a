"""``doctor``: what this machine can run, and for what cannot run: why not, and the fix."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..core.hardware import Hardware

__all__ = ["Diagnosis", "EngineRow", "doctor"]


@dataclass(frozen=True)
class EngineRow:
    """One engine: whether it runs here, its version, and why not."""

    name: str
    ok: bool
    version: str
    why_not: str


@dataclass(frozen=True)
class Diagnosis:
    """What ``doctor`` found. ``remarks``: facts a user should know, each a sentence; ``native``: the instruction set
    that the native engine uses here, and the others it could, or what it takes to have that engine.
    """

    hardware: Hardware
    engines: tuple[EngineRow, ...]
    compiler: str
    remarks: tuple[str, ...] = field(default=())
    native: str = ""

    @property
    def text(self) -> str:
        """The same for a person, 80 columns."""
        h = self.hardware
        lines = [
            f"Machine    {h.cpu}, {h.cores} cores, {h.isa}, {h.memory_bytes / 2**30:.0f} GB",
            f"System     {h.system}, Python {h.python}, frequency governor {h.governor}",
            f"Compiler   {self.compiler or 'none found (TorchInductor needs one: apt-get install g++)'}",
            f"Native     {self.native}",
            "",
            "Engine         runs here   version",
        ]
        for row in self.engines:
            lines.append(f"{row.name:<14} {'yes' if row.ok else 'no':<11} {row.version}")
            if row.why_not:
                lines.append(f"               {row.why_not}")
        return "\n".join([*lines, *([""] if self.remarks else []), *(f"- {r}" for r in self.remarks)])


def doctor() -> Diagnosis:
    """Look at this machine; nothing is changed and nothing leaves it."""
    from ..engines import REGISTRY

    hardware = Hardware.here()
    rows = []
    for engine in REGISTRY:
        availability = engine.availability(hardware)
        rows.append(EngineRow(engine.name, availability.ok, availability.version, availability.why_not))
    compiler = _compiler()
    return Diagnosis(
        hardware, tuple(rows), compiler, tuple(_remarks(hardware, hardware.versions)), _native(compiler, rows)
    )


def _native(compiler: str, rows: Sequence[EngineRow]) -> str:
    """ "avx2 (also scalar)", or the way to the engine where it was not built."""
    if all(row.ok for row in rows if row.name == "native"):
        from ..native import supported_isas

        best, *others = supported_isas()
        return f"uses {best}" + (f" (could use {', '.join(others)})" if others else "")
    first = "" if compiler else "apt-get install g++, then "
    return f"not built: {first}pip install . again (in a checkout: make native)"


def _compiler() -> str:
    named = os.environ.get("CXX")
    for name in ([named] if named else []) + ["g++", "clang++", "c++"]:
        if path := shutil.which(name):
            answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)
            return answer.stdout.partition("\n")[0]
    return ""


def _remarks(hardware: Hardware, versions: Mapping[str, str]) -> list[str]:
    remarks = []
    if hardware.int8_saturates:
        remarks.append("Int8 instructions here add in saturating 16 bits: weights are quantized to 7 bits.")
    if not hardware.has_bf16:
        remarks.append("No bfloat16 instructions: that precision is not tried here.")
    for gpu in hardware.gpus:
        remarks.append(f"{gpu}: seen, not used in this release.")
    if hardware.architecture not in ("x86_64", "AMD64"):
        remarks.append(f"{hardware.architecture}: engines run as their packages do; our tests run on x86-64 Linux.")
    if sys.platform == "win32":
        remarks.append("Windows: use WSL; worker processes here need POSIX signals.")
    elif sys.platform == "darwin":
        remarks.append("macOS: workers run without the parent-death signal of Linux; they watch the parent's pipe.")
    if "torch" not in versions:
        remarks.append('torch is not installed: PyTorch models need it.  pip install "speedwell[torch]"')
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        remarks.append(f"Python {hardware.python}: tested are 3.11 to 3.13.")
    return remarks
