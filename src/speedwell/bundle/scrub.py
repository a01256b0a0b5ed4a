"""Keep this machine and its user out of a bundle: local paths, user and host names, metadata (security.md B6).

What can be rewritten is rewritten (``scrub``), what remains is searched (``leaks``), and a bundle with a find is not
written. Vocabularies and class names are the model's own words, not ours: they are left alone.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["leaks", "scrub", "scrub_text"]

_TOP = (
    "home",
    "root",
    "Users",
    "tmp",
    "var",
    "mnt",
    "media",
    "opt",
    "srv",
    "usr",
    "etc",
    "private",
    "Volumes",
    "proc",
    "run",
)


def _roots() -> tuple[str, ...]:
    here = {Path.home(), Path.cwd(), Path(os.environ.get("TMPDIR", "/tmp"))}
    return tuple(sorted({*_TOP, *(p.parts[1] for p in here if len(p.parts) > 1)}))


def _paths() -> re.Pattern[str]:
    roots = "|".join(re.escape(r) for r in _roots())
    # not inside a longer word, and something must follow the top folder: "/var" alone may be a node's name
    return re.compile(
        rf"(?<![\w./-])(?:file://)?/(?:{roots})(?:/[^\s:;,'\"<>|)\]]+)+|\b[A-Za-z]:\\[^\s'\"<>|]+|~/[^\s'\"<>|]+"
    )


def _people() -> tuple[str, ...]:
    """The user's and host's names, where they are distinctive enough not to be found by chance."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = ""
    host = platform.node()
    common = {"root", "user", "admin", "ubuntu", "debian", "localhost", "runner", "nobody", "docker", "linux"}
    return tuple(n for n in {user, host, host.partition(".")[0]} if len(n) >= 5 and n.lower() not in common)


def scrub_text(text: str) -> str:
    """``text`` with each local path cut down to its last part."""
    return _paths().sub(lambda m: re.split(r"[/\\]", m.group().rstrip("/\\"))[-1], text)


def scrub(value: Any) -> Any:
    """Plain JSON with ``scrub_text`` applied to every string in it, keys included."""
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, Mapping):
        return {scrub_text(str(k)): scrub(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrub(v) for v in value]
    return value


def leaks(value: Any) -> Iterator[str]:
    """Every string in plain JSON that still names a local path, this user or this host."""
    if isinstance(value, str):
        named = any(re.search(rf"(?<!\w){re.escape(n)}(?!\w)", value, re.IGNORECASE) for n in _people())
        if named or _paths().search(value):
            yield value
    elif isinstance(value, Mapping):
        for k, v in value.items():
            yield from leaks(str(k))
            yield from leaks(v)
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from leaks(v)
