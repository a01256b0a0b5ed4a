"""What the user asked for, as one record: the arguments of ``accelerate`` and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import UsageError
from ..core.hardware import Hardware
from .data_place import absolute

__all__ = ["DEFAULT_BUDGET", "Settings"]

DEFAULT_BUDGET = "10m"


@dataclass(frozen=True)
class Settings:
    """``model``: a reference ("resnet.onnx", "pkg.models:build", "hf:folder", "timm:name@file") or "live".

    ``data`` and the given splits are paths or None; live data is encoded before the run starts and leaves "live" here.
    ``options``: preprocessing and reader options (size, mean, tokenizer, text_column, ...), plain JSON.
    ``engines`` and ``passes``: names to search over; empty means all there are.
    """

    model: str
    data: str | None = None
    calibration: str | None = None
    selection: str | None = None
    confirmation: str | None = None
    weights: str | None = None
    task: str | None = None
    max_drop: str | None = None
    agree: str | None = None
    budget: str = DEFAULT_BUDGET
    batch: int = 1
    threads: int = 0
    out: str | None = None
    seed: int = 0
    rounds: int = 12
    calls: int = 20
    engines: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def checked(self, hardware: Hardware) -> Settings:
        """The same with ``threads`` filled in. Raises ``UsageError`` for values outside their range."""
        if self.batch < 1 or self.batch > 1024:
            raise UsageError(f"--batch is {self.batch}", "Give a batch size from 1 to 1024.")
        if self.threads < 0 or self.threads > hardware.cores:
            raise UsageError(
                f"--threads is {self.threads}, this machine offers {hardware.cores}",
                f"Give 1 to {hardware.cores}, or leave it out.",
            )
        if self.rounds < 4:
            raise UsageError(f"--rounds is {self.rounds}", "A latency claim needs at least 4 pairs, 12 by default.")
        if self.calls < 3:
            raise UsageError(f"--calls is {self.calls}", "Give at least 3 calls a round, 20 by default.")
        if self.max_drop and self.agree:
            raise UsageError(
                "--max-drop and --agree were both given", "Use --max-drop with labels, --agree without labels."
            )
        if self.agree and not self.data:
            raise UsageError("--agree needs data", "Name unlabelled samples with --data.")
        given = {"calibration": self.calibration, "selection": self.selection, "confirmation": self.confirmation}
        if not self.data and any(given.values()):
            names = ", ".join(f"--{k}" for k, v in given.items() if v)
            raise UsageError(f"{names} without --data", "Name the data that the search may see with --data.")
        # a resumed run may be started from another folder
        places = ("data", *given, "weights", "out")
        kept = {n: absolute(v) for n in places if (v := getattr(self, n)) and v != "live"}
        return Settings(**{**self.__dict__, **kept, "threads": self.threads or hardware.cores})
