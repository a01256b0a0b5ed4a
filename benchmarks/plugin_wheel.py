"""``install``: one module as a wheel with an entry point, installed into a folder by pip."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

__all__ = ["install"]


def install(module: Path, group: str, name: str, attribute: str, folder: Path) -> Path:
    """Pack ``module`` into a wheel whose entry point ``name`` of ``group`` is ``module:attribute``; install it into
    ``folder/site`` (nothing is downloaded) and return that, for PYTHONPATH.
    """
    info = f"{module.stem}-1.0.dist-info"
    files = {
        module.name: module.read_bytes(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {module.stem}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: benchmarks\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[{group}]\n{name} = {module.stem}:{attribute}\n".encode(),
    }
    lines = [f"{path},sha256={_hash(data)},{len(data)}" for path, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    wheel = folder / f"{module.stem}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    site = folder / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*command, str(wheel)], check=True)
    return site


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
