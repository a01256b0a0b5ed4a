"""Facts about this machine: what speed claims depend on. Reading them never raises."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["INTERESTING_FLAGS", "VERSIONED", "Hardware"]

INTERESTING_FLAGS = (
    "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
VERSIONED = (
    "speedwell",
    "numpy",
    "torch",
    "onnx",
    "onnxruntime",
    "openvino",
    "nncf",
    "transformers",
    "tokenizers",
    "Pillow",
)


@dataclass(frozen=True)
class Hardware:
    """``cores`` = those this process may use. ``memory_bytes`` = the cgroup's limit where that is lower.

    ``flags``: ISA flags of ``INTERESTING_FLAGS``. ``gpus``: names seen; not used in this release.
    """

    cpu: str
    architecture: str
    cores: int
    memory_bytes: int
    flags: tuple[str, ...]
    governor: str
    system: str
    python: str
    versions: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()

    @staticmethod
    def here() -> Hardware:
        """Read the facts of this machine."""
        info = _cpuinfo()
        return Hardware(
            cpu=info.get("model name") or platform.processor() or platform.machine(),
            architecture=platform.machine(),
            cores=_cores(),
            memory_bytes=_memory(),
            flags=tuple(f for f in INTERESTING_FLAGS if f in _flags(info)),
            governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "unknown",
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            versions={name: v for name in VERSIONED if (v := _version(name))},
            gpus=_gpus(),
        )

    @property
    def int8_saturates(self) -> bool:
        """True where u8 x s8 products are added in saturating 16 bits (x86 without VNNI): weights then get 7 bits."""
        return self.architecture in ("x86_64", "AMD64") and not {"avx_vnni", "avx512_vnni", "amx_int8"} & set(
            self.flags
        )

    @property
    def has_bf16(self) -> bool:
        return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(self.flags))

    @property
    def isa(self) -> str:
        """The words that stand beside a speed claim: "AVX2 without VNNI", "AVX-512 with VNNI", ..."""
        flags = set(self.flags)
        if "avx512f" in flags:
            return "AVX-512 with VNNI" if "avx512_vnni" in flags else "AVX-512 without VNNI"
        if "avx2" in flags:
            return "AVX2 with VNNI" if "avx_vnni" in flags else "AVX2 without VNNI"
        if "asimd" in flags or self.architecture in ("arm64", "aarch64"):
            return "NEON with dot product" if "asimddp" in flags else "NEON"
        return self.architecture

    @property
    def fingerprint(self) -> str:
        """Short hash of what the speed of a bundle depends on: CPU, ISA flags, cores."""
        text = f"{self.cpu}|{self.architecture}|{self.cores}|{','.join(self.flags)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""


def _cpuinfo() -> dict[str, str]:
    pairs = (line.partition(":") for line in _read("/proc/cpuinfo").splitlines())
    return {k.strip(): v.strip() for k, _, v in reversed(list(pairs)) if k.strip()}


def _flags(info: dict[str, str]) -> set[str]:
    return set((info.get("flags") or info.get("Features") or "").split())


def _cores() -> int:
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        return max(1, min(affinity, int(quota) // int(period)))
    return affinity


def _memory() -> int:
    limits = [int(v)] if (v := _read("/sys/fs/cgroup/memory.max")).isdigit() else []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=0)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _gpus() -> tuple[str, ...]:
    names = [
        _read(str(p / "information")).partition("Model:")[2].partition("\n")[0].strip() or "NVIDIA GPU"
        for p in sorted(Path("/proc/driver/nvidia/gpus").glob("*"))
    ]
    if sys.platform == "darwin" and platform.machine() == "arm64":
        names.append("Apple GPU")
    return tuple(names)
