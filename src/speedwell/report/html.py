"""One HTML file that holds the whole report: opened from a disk, printed or sent on, it needs nothing else."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from ..core.errors import OutputError
from .folder import Run, read_run
from .samples import ShownSample
from .view import page_view
from .words import count, duration, memory, milliseconds, percent, plural, ratio, seconds, signed_points, size

__all__ = ["page_environment", "page_style", "render_html", "write_html"]

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def page_environment() -> Environment:
    """The template engine with the words that pages use."""
    # only what writes a page needs the template engine: the room must stay cheap to import
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_unbroken,
    )  # fmt: skip
    words = (count, duration, memory, milliseconds, percent, plural, ratio, seconds, signed_points, size)
    made.filters.update({f.__name__: f for f in words})
    return made


_UNIT = re.compile(r"(?<=\d) (?=(?:%|ms|µs|s|min|h|points?|kB|MB|GB|times)(?![\w]))")


def _unbroken(value: object) -> object:
    """A number and its unit stay on one line."""
    return _UNIT.sub("\u00a0", value) if type(value) is str else value


def _asset(name: str) -> tuple[Markup, str]:
    """The file, and its hash as a content security policy wants it: nothing else may run or style the page."""
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"


def page_style() -> tuple[Markup, Markup]:
    """(the style sheet, the content security policy) of a page without scripts."""
    style, style_hash = _asset("page.css")
    return style, Markup(f"default-src 'none'; img-src data:; style-src {style_hash}; base-uri 'none'")


def render_html(run: Run, samples: Sequence[ShownSample] | None = None) -> str:
    """The page as text. Its policy forbids every network request, and any script or style but its own."""
    style, style_hash = _asset("page.css")
    script, script_hash = _asset("page.js")
    policy = f"default-src 'none'; img-src data:; style-src {style_hash}; script-src {script_hash}; base-uri 'none'"
    template = page_environment().get_template("page.html.j2")
    return template.render(page_view(run, samples), style=style, script=script, policy=Markup(policy))


def write_html(run: Path, out: Path, show_samples: Sequence[ShownSample] | None = None) -> Path:
    """Write the report of the run folder ``run`` to ``out``, whole or not at all; returns ``out``.

    Samples are shown only where they are handed in. Raises ``RunError`` where ``run`` holds no run, ``OutputError``
    where ``out`` cannot be written.
    """
    text = render_html(read_run(run), show_samples)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out)
    except OSError as error:
        with contextlib.suppress(OSError):  # the place itself may be no folder
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write the report {out}: {error.strerror or error}", "Name a writable place with --out FILE."
        ) from error
    return out
