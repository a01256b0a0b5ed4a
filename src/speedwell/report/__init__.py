"""What a run says to people: the terminal while it goes, one HTML file when it ends. Reads only a run folder."""

from __future__ import annotations

from .folder import Run, read_run
from .html import render_html, write_html
from .jsonlines import JsonProgress, result_facts
from .labels import candidate_label, candidate_labels, engine_label, step_label
from .opening import open_progress
from .progress import Facts, NullProgress, Paths, Progress, TrialRow
from .samples import ShownBox, ShownSample
from .sentence import accuracy_words, metric_of, promise_words, speed_words, verdict_kind, verdict_sentence
from .terminal import TerminalProgress

__all__ = [
    "Facts",
    "JsonProgress",
    "NullProgress",
    "Paths",
    "Progress",
    "Run",
    "ShownBox",
    "ShownSample",
    "TerminalProgress",
    "TrialRow",
    "accuracy_words",
    "candidate_label",
    "candidate_labels",
    "engine_label",
    "metric_of",
    "open_progress",
    "promise_words",
    "read_run",
    "render_html",
    "result_facts",
    "speed_words",
    "step_label",
    "verdict_kind",
    "verdict_sentence",
    "write_html",
]
