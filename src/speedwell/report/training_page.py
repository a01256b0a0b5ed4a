"""One HTML file about a training: what it came to, how it got there, and samples that it got right and wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..core.atomic import write_atomic
from .charts.frame import Frame
from .charts.learning import learning
from .drawing import draw_panel
from .html import page_environment, page_style
from .samples import ShownSample, data_uri
from .words import duration, percent

__all__ = ["Answered", "write_training_page"]


@dataclass(frozen=True)
class Answered:
    """A sample that was judged. ``sample.winner``: the network's answer in words, ``sample.truth``: the label's;
    ``right``: whether they agree (of a picture with boxes: nothing missed, nothing invented).
    """

    sample: ShownSample
    right: bool


def write_training_page(
    out: Path,
    result: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    answers: Sequence[Answered],
    recipe: str,
    judged: str,
) -> Path:
    """Write the page to ``out``, whole or not at all. ``result``: a ``TrainResult`` as plain JSON; ``judged``: the name
    of the split that ``answers`` are from. Everything shown is inside the file; nothing is fetched.
    """
    style, policy = page_style()
    score = result["test"] if result["test"] is not None else result["validation"]
    of = "test" if result["test"] is not None else "validation"
    view = {
        "title": result["network"],
        "sentence": _sentence(result, score, of),
        "figures": _figures(result, score, of),
        "charts": [learning(history, result["metric"], frame) for frame in (Frame.WIDE, Frame.NARROW)],
        "right": [_shown(a, n) for n, a in enumerate(answers) if a.right],
        "wrong": [_shown(a, n) for n, a in enumerate(answers) if not a.right],
        "judged": judged,
        "recipe": recipe,
        "skipped": result["skipped"],
        "privacy": result.get("privacy"),
    }
    text = page_environment().get_template("training.html.j2").render(view, style=style, policy=policy)
    write_atomic(out, text.encode("utf-8"))
    return out


def _sentence(result: Mapping[str, Any], score: float | None, of: str) -> str:
    name = result["network"]
    if score is None:
        return f"The network {name} trained for {duration(result['seconds'])}; nothing was there to judge it by."
    n = result["counts"].get(of, 0)
    seen = f"{n:,} samples that it never saw" if of == "test" else f"{n:,} samples that stopping was decided by"
    return (
        f"The network {name} learnt {result['task'].replace('-', ' ')}: {result['metric']} {percent(score)} on {seen}."
    )


def _figures(result: Mapping[str, Any], score: float | None, of: str) -> list[tuple[str, str, str]]:
    sure = ""
    if of == "test" and result["test_low"] is not None:
        sure = f"95 % sure: {100 * result['test_low']:.1f} to {100 * result['test_high']:.1f} %"
    shown = [(f"{result['metric']}, {of}", percent(score), sure)] if score is not None else []
    steps = f"{result['steps']:,} steps, {result['epochs']:.3g} epochs"
    return [
        *shown,
        ("time", duration(result["seconds"]), f"{steps}; {result['samples_per_second']:,.0f} samples/s"),
        (
            "a step",
            f"{result['forward_ms'] + result['backward_ms'] + result['update_ms']:.0f} ms",
            f"forward {result['forward_ms']:.1f}, backward {result['backward_ms']:.1f}, "
            f"update {result['update_ms']:.1f} ms",
        ),
        (
            "parameters",
            f"{result['parameters']:,}",
            f"{result['forward_operations'] / 1e6:,.0f} M operations forward and "
            f"{result['backward_operations'] / 1e6:,.0f} M backward a sample",
        ),
    ]


def _shown(answer: Answered, number: int) -> dict[str, Any]:
    sample = answer.sample
    panel = draw_panel(sample, "winner", number) if sample.image and sample.boxes else Markup("")
    image = data_uri(sample.image) if sample.image and not panel else ""
    return {"panel": panel, "image": image, "text": sample.text, "answer": sample.winner, "truth": sample.truth}
