"""The folder of one run: where everything about it lies, readable by its owner only."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import OutputError, ResumeError
from ..core.record import encode

__all__ = ["RunFolder"]


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run. ``run.json`` is written once at the start and completed when preparation ends."""

    path: Path

    @staticmethod
    def create(path: Path | None = None) -> RunFolder:
        """A new folder (mode 0700), by default ``runs/<date>-<number>`` here. Raises ``OutputError``."""
        base = path or Path("runs") / time.strftime("%Y%m%d-%H%M%S")
        try:
            for attempt in range(1000):
                folder = base if attempt == 0 else base.with_name(f"{base.name}-{attempt}")
                try:
                    folder.mkdir(parents=True, mode=0o700)
                except FileExistsError:
                    continue
                os.chmod(folder, 0o700)
                run = RunFolder(folder.resolve())
                for sub in (run.models, run.data, run.artifacts, run.scratch):
                    sub.mkdir(mode=0o700)
                return run
        except OSError as error:
            raise OutputError(
                f"cannot make the run folder {base}: {error.strerror}", "Name a writable place with --run FOLDER."
            ) from error
        raise OutputError(f"{base} and a thousand numbers after it exist already", "Name another place with --run.")

    @staticmethod
    def open(path: Path) -> RunFolder:
        """An existing run. Raises ``ResumeError`` where there is none."""
        if not (path / "run.json").is_file():
            raise ResumeError(
                f"{path} holds no run (no run.json)", "Name the folder that the run printed at its start."
            )
        run = RunFolder(path.resolve())
        before = (run.read("run.json") or {}).get("folder", "")
        if before and before != str(run.path):
            run._moved(before)
        return run

    def _moved(self, before: str) -> None:
        """Records name files of the run by absolute path: name them where the folder lies now."""
        old, new = json.dumps(before)[1:-1], json.dumps(str(self.path))[1:-1]
        # run.json last: until it is written the folder still counts as moved
        for record in [*self.artifacts.glob("*/record"), self.path / "run.json"]:
            text = record.read_text().replace(f'"{old}/', f'"{new}/').replace(f'"{old}"', f'"{new}"')
            self.write_text(str(record.relative_to(self.path)), text)

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def artifacts(self) -> Path:
        return self.path / "artifacts"

    @property
    def scratch(self) -> Path:
        return self.path / "scratch"

    @property
    def best(self) -> Path:
        """Where the best-so-far bundle lies when no ``--out`` was given."""
        return self.path / "bundle"

    def read(self, name: str) -> Any:
        """A JSON file of the run, or None where it is not there. Raises ``ResumeError`` where it cannot be read."""
        try:
            return json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ResumeError(f"{self.path / name} cannot be read: {error}") from error

    def write(self, name: str, value: Any) -> None:
        """Write a JSON file whole or not at all. Raises ``OutputError`` (disk full, folder gone)."""
        self.write_text(name, json.dumps(encode(value), allow_nan=False))

    def write_text(self, name: str, text: str) -> None:
        """Write a text file whole or not at all."""
        target = self.path / name
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with temporary.open("w") as f:
                f.write(text)
                f.flush()
                os.fsync(f.fileno())
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OutputError(
                f"cannot write {target}: {error.strerror}", "Make room, then --resume the run."
            ) from error

    def update(self, **values: Any) -> dict[str, Any]:
        """Merge ``values`` into ``run.json`` and return the whole."""
        whole: dict[str, Any] = {**(self.read("run.json") or {}), **values, "folder": str(self.path)}
        self.write("run.json", whole)
        return whole

    def remove(self) -> None:
        """Take the whole run away, and ``runs`` with it where it was the only one."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.path.parent.name == "runs":
            with contextlib.suppress(OSError):
                self.path.parent.rmdir()

    def tidy(self) -> None:
        """Remove what only workers needed."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(mode=0o700, exist_ok=True)

    def require(self, name: str) -> Mapping[str, Any]:
        """Like ``read``, but the file must be there."""
        value = self.read(name)
        if value is None:
            raise ResumeError(f"{self.path} has no {name}: the run stopped before it was prepared", "Start it again.")
        return dict(value)
