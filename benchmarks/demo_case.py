"""``demo_arguments``: the demo's network and data, which come with packages, as arguments of ``accelerate``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["demo_arguments"]

MAKE = {
    "images": "from speedwell.workflow.demo_images import prepare_images as make",
    "text": "from speedwell.workflow.demo_texts import prepare_texts as make",
}


def demo_arguments(folder: Path, what: str = "images") -> list[str]:
    """Make them in ``folder`` (training takes under a minute, in a process of its own). ``what``: images or text."""
    folder.mkdir(parents=True, exist_ok=True)
    code = f"{MAKE[what]}\nfrom pathlib import Path\nimport sys\nmake(folder=Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True)
    data, confirmation = ("images", "confirmation") if what == "images" else ("search.csv", "confirmation.csv")
    return [
        f"{folder / 'network.py'}:build", "--weights", str(folder / "weights.safetensors"), "--data",
        str(folder / data), "--confirmation", str(folder / confirmation), "--max-drop", "1pt",
    ]  # fmt: skip
