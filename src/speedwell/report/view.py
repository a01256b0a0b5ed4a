"""Everything the page shows, gathered from a run: the template only places it."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ..core import Hardware, decode, encode
from .certainty import (
    accuracy_lines,
    call_groups,
    control_words,
    ledger_lines,
    ratio_lines,
    speed_lines,
    splits,
)
from .changes import confirmed_counts, selection_changes
from .charts import (
    Frame,
    answers_chart,
    latency_chart,
    operators_chart,
    picture_chart,
    ratios_chart,
    waterfall_chart,
)
from .drawing import draw_panel
from .facts import fact_list
from .figures import headline, key_figures, lead
from .folder import Run
from .jsonlines import result_facts
from .rows import Row, make_rows
from .samples import ShownSample, data_uri
from .sentence import verdict_kind
from .stages import winner_stages
from .words import memory, plain

__all__ = ["page_view", "raw_json"]

_UNCHECKED = (
    "whether the network or its training data holds a backdoor",
    "whether its answers leak which samples it was trained on",
    "robustness against inputs made to mislead it",
    "wrong labels in the data that judged it",
    "speed on any other machine (a bundle checks itself where it is opened)",
)


def _both(draw: Callable[[Frame], Markup | None]) -> dict[str, Markup] | None:
    """A chart for wide pages and one for phones; None where there is nothing to draw."""
    wide, narrow = draw(Frame.WIDE), draw(Frame.NARROW)
    return {"wide": wide, "narrow": narrow} if wide is not None and narrow is not None else None


def page_view(run: Run, samples: Sequence[ShownSample] | None = None) -> dict[str, Any]:
    """The template's variables."""
    rows = make_rows(run)
    front = [c.key for c in run.result.front] if run.result is not None else _own_front(rows)
    rows = tuple(dataclasses.replace(r, state="front") if r.state == "open" and r.key in front else r for r in rows)
    stages = winner_stages(run, rows)
    changes = selection_changes(run)
    profile = {name: run.profile.get(name, ()) for name in ("original", "winner")}
    labels: dict[str, str] = {r.state: r.label for r in rows}
    panels = [
        (labels.get(state, state), kind, profile[state])
        for state, kind in (("original", "before"), ("winner", "after"))
    ]
    raw = raw_json(run, rows)
    return {
        "title": _title(run),
        "kind": verdict_kind(run.result) if run.result is not None else "unfinished",
        "headline": headline(run, rows),
        "lead": lead(run),
        "figures": key_figures(run, rows),
        "warnings": [plain(w) for w in run.result.warnings] if run.result is not None else [],
        "problems": run.problems,
        "rows": rows,
        "states": Counter(r.state for r in rows),
        "named": [r for r in rows if r.state in ("original", "winner", "finalist", "front") or r.key in front],
        "picture": _both(lambda f: picture_chart(rows, front, run.promise, f)),
        "measured": sum(r.measured for r in rows),
        "stages": stages,
        "waterfall": _both(lambda f: waterfall_chart(stages, f)),
        "counts": confirmed_counts(run),
        "changes": changes,
        "answers": _both(lambda f: answers_chart(changes.classes, f)) if changes is not None else None,
        "samples": _samples(samples),
        "operators": panels,
        "operators_chart": _both(lambda f: operators_chart(panels, f)),
        "splits": splits(run),
        "accuracy_lines": accuracy_lines(run),
        "speed_lines": speed_lines(run),
        "ratios": _both(lambda f: ratios_chart(ratio_lines(run), f)),
        "control": control_words(run),
        "ledger": ledger_lines(run),
        "calls": _both(lambda f: latency_chart(call_groups(run, rows), f)),
        "checked": _words(run.about("checked")),
        "unchecked": _words(run.about("unchecked")) or list(_UNCHECKED),
        "bundle": fact_list(run.about("bundle")),
        "machine": _machine(run),
        "versions": _versions(run),
        "not_tried": fact_list(run.about("not tried")) if run.about("not tried") else [],
        "notes": _words(run.about("notes")),
        "command": _command(run),
        "asked": _asked(run),
        "raw": Markup(raw),
        "raw_kilobytes": max(1, len(raw) // 1000),
    }  # fmt: skip


def _title(run: Run) -> str:
    name = run.about("model", "name") or run.about("model", "reference") or run.about("model") or run.folder.name
    return plain(name) if isinstance(name, str) else plain(run.folder.name)


def _own_front(rows: Sequence[Row]) -> list[str]:
    """Without a result: the candidates that no other one beats in both latency and difference."""
    both = [r for r in rows if r.seconds is not None and r.difference is not None]
    front: list[str] = []
    highest = float("-inf")
    for row in sorted(both, key=lambda r: (r.seconds or 0.0, -(r.difference or 0.0))):
        if (row.difference or 0.0) > highest:
            highest = row.difference or 0.0
            front.append(row.key)
    return front


def _samples(samples: Sequence[ShownSample] | None) -> list[dict[str, Any]]:
    return [
        {"original": plain(s.original), "winner": plain(s.winner), "truth": plain(s.truth), "text": plain(s.text),
         "image": data_uri(s.image) if s.image else "", "panels": _panels(s, number)}
        for number, s in enumerate(samples or (), 1)
    ]  # fmt: skip


def _panels(sample: ShownSample, number: int) -> dict[str, Markup]:
    """What either model found, drawn; empty where the sample has no picture or no boxes."""
    if not sample.image or not sample.boxes:
        return {}
    return {who: draw_panel(sample, who, number) for who in ("original", "winner")}


def _words(value: Any) -> list[str]:
    return [plain(v) for v in value] if isinstance(value, list) else []


def _hardware(run: Run) -> Hardware | None:
    if run.result is not None:
        return run.result.hardware
    asked = run.asked.get("hardware")
    try:
        return decode(Hardware, asked) if isinstance(asked, Mapping) else None
    except (TypeError, ValueError, KeyError):
        return None


def _machine(run: Run) -> list[tuple[str, str]]:
    here = _hardware(run)
    if here is None:
        return fact_list(run.asked.get("hardware"))
    pairs = [
        ("processor", here.cpu),
        ("instructions", f"{here.isa} ({', '.join(here.flags)})" if here.flags else here.isa),
        ("cores used", str(here.cores)),
        ("memory", memory(here.memory_bytes) if here.memory_bytes else ""),
        ("governor", here.governor),
        ("system", f"{here.system}, {here.architecture}"),
        ("GPU", f"{', '.join(here.gpus)}: not used in this release" if here.gpus else ""),
    ]
    return [(name, plain(text)) for name, text in pairs if text]


def _versions(run: Run) -> list[tuple[str, str]]:
    here = _hardware(run)
    if here is None:
        return []
    return [("Python", plain(here.python)), *((plain(k), plain(v)) for k, v in here.versions.items())]


def _command(run: Run) -> str:
    found = run.about("command")
    if isinstance(found, list):
        return plain(shlex.join(str(part) for part in found))
    return plain(found) if isinstance(found, str) else ""


def _asked(run: Run) -> list[tuple[str, str]]:
    return [
        pair
        for name in ("model", "data", "settings", "arguments", "preflight")
        for pair in fact_list(run.asked.get(name), name)
    ]


def raw_json(run: Run, rows: Sequence[Row]) -> str:
    """Every number of the page as JSON, safe inside a script element: no "<", ">" or "&" is left in it.

    Per-sample answers stay in the run folder: they are the user's data.
    """
    skipped = {"confirmation"}
    data = {
        "schema": 1,
        "result": _timed_result(run) if run.result is not None else None,
        "candidates": [
            {f.name: encode(getattr(r, f.name)) for f in dataclasses.fields(r) if f.name not in skipped} for r in rows
        ],
        "profile": {name: encode(times) for name, times in run.profile.items()},
        "ledger": list(run.ledger),
        # what the workflow keeps for itself to go on with is no number of this page
        "asked": {k: v for k, v in run.asked.items() if k not in ("prepared", "offers")},
    }
    text = json.dumps(data, allow_nan=True, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _timed_result(run: Run) -> dict[str, Any]:
    assert run.result is not None
    facts = result_facts(run.result)
    for written, confirmation in zip(facts["confirmations"], run.result.confirmations, strict=True):
        for claim, source in zip(written["speed"], confirmation.speed, strict=True):
            claim["samples"] = encode(source.samples)
    return facts
