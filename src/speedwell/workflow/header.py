"""What a person reads before the first row: machine, model, data, promise."""

from __future__ import annotations

from ..core.hardware import Hardware
from ..measure import look_ahead
from ..report import promise_words
from .prepared import Prepared

__all__ = ["header_of"]


def header_of(prepared: Prepared, hardware: Hardware, engines: tuple[str, ...]) -> dict[str, str | list[str]]:
    """Facts by heading, for ``Progress.header``."""
    p, model = prepared, prepared.model
    ready = ", ".join(engines)
    machine = f"{hardware.cpu}, {hardware.cores} cores, {hardware.isa}, {hardware.memory_bytes / 2**30:.0f} GB"
    gpus = [f"{g}: seen, not used in this release" for g in hardware.gpus]
    kind = {"torch": "PyTorch", "onnx": "ONNX"}[model.form]
    facts: dict[str, str | list[str]] = {
        "Machine": [machine, f"engines: {ready}", *gpus],
        "Model": f"{model.origin.reference} ({kind}), {_size(model.size_bytes)}",
    }
    workloads = "; ".join(w.label for w in p.workloads)
    if p.data.none:
        facts["Data"] = "none: only engines and rewrites that change no answer compete"
        facts["Promise"] = [promise_words(p.promise), workloads]
        return facts
    c = p.data.counts
    unit = "images" if p.data.pictures else {"text": "texts"}.get(p.data.kind, "samples")
    labels = f"{len(p.data.classes)} classes" if p.data.classes else ("labelled" if p.data.labelled else "no labels")
    facts["Data"] = (
        f"{sum(c.values()):,} {unit}, {labels}: calibration {c['calibration']:,}, selection {c['selection']:,}; "
        f"confirmation {c['confirmation']:,} (sealed)"
    )
    facts["Promise"] = [_promise(p), workloads]
    return facts


def _promise(p: Prepared) -> str:
    if p.promise.margin > 0 and p.data.metric.startswith("AP"):
        return f"{promise_words(p.promise)}, in average precision ({p.data.metric})"
    if p.promise.margin > 0:
        kind = "agreement" if p.promise.kind == "agreement" else "binary"
        shows = look_ahead(max(p.confirmation, 10), p.promise.margin, kind)  # type: ignore[arg-type]
        return f"{promise_words(p.promise)}; this data can show down to {100 * shows.tightest:.1f} points"
    return f"{p.promise.stated}, settled once the original's score is known"


def _size(count: int) -> str:
    """ "90.9 MB", "17.1 kB" """
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
