"""``ProductCase``: a trained network with its data, as arguments of ``speedwell accelerate``."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from demo_case import demo_arguments

__all__ = ["ProductCase"]

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class ProductCase:
    """``what``: images, text or efficientnet. With ../shared/data: CIFAR-10 with ResNet-20, CLINC150 with MiniLM,
    CIFAR-10 with EfficientNet-Lite0 and a head fitted here; else the demo's (which has no efficientnet).
    """

    what: str

    @property
    def real(self) -> bool:
        """True where the shared data is there."""
        return SHARED.is_dir()

    @property
    def name(self) -> str:
        names = {
            "images": "resnet20-cifar10", "text": "minilm-clinc150", "efficientnet": "efficientnet_lite0-cifar10",
        }  # fmt: skip
        return names[self.what] if self.real else f"demo-{self.what}"

    def arguments(self, folder: Path) -> list[str]:
        """For ``accelerate``; what has to be made first is made in ``folder``."""
        if not self.real:
            return demo_arguments(folder, self.what)
        if self.what == "images":
            return [
                f"{EXAMPLES / 'resnet20_cifar.py'}:build", "--weights",
                str(SHARED / "models" / "resnet20_cifar10_jpg.safetensors"), "--data",
                str(SHARED / "cifar10_jpg" / "train.npz"), "--confirmation", str(SHARED / "cifar10_jpg" / "test.npz"),
                "--max-drop", "1pt",
            ]  # fmt: skip
        if self.what == "efficientnet":
            head = folder / "head.safetensors"
            script, train = EXAMPLES / "efficientnet_lite0.py", SHARED / "cifar10_jpg" / "train.npz"
            fit = [sys.executable, str(script), "fit", str(train), str(head), "4000"]
            subprocess.run(fit, check=True, capture_output=True)
            os.environ["SPEEDWELL_HEAD"] = str(head)  # the example reads it
            test = SHARED / "cifar10_jpg" / "test.npz"
            return [f"{script}:build_cifar", "--data", str(train), "--confirmation", str(test), "--max-drop", "1pt"]
        os.environ["SPEEDWELL_HEAD"] = str(SHARED / "text" / "minilm_head_clinc150.npz")  # the example reads it
        source = next((SHARED / "text" / "clinc150").glob("data_full.json*"))
        script = EXAMPLES / "minilm_clinc.py"
        subprocess.run([sys.executable, str(script), str(source), str(folder)], check=True, capture_output=True)
        return [
            f"{script}:build", "--data", str(folder / "train.csv"), "--confirmation", str(folder / "test.csv"),
            "--max-drop", "1pt",
        ]  # fmt: skip
