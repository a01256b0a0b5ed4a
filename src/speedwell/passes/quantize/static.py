"""``quantize_static``: float ONNX to int8 with ranges from calibration data, in the QuantizeLinear form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ...core import Context, Hardware, Kind, Model, Pass, Step
from ...core.errors import PreconditionError, UsageError
from ..closeness import require_sound
from ..graph import opset, save
from ..probe import probe, probe_sizes
from .clipping import METHODS
from .corrected import corrected
from .coverage import coverage, weighted_nodes
from .keep import kept_float
from .moments import input_moments
from .prepared import prepared
from .qdq import insert_pairs
from .ranges import observe
from .sensitivity import ranking
from .sums import note_output_db, require_sums, sums_choices

__all__ = ["FIRST_OPSET", "QuantizeStatic"]

FIRST_OPSET = 13
"""QuantizeLinear has an axis since 13."""


@dataclass(frozen=True)
class QuantizeStatic(Pass):
    """Unsigned 8-bit activations per tensor, symmetric 8-bit weights per channel, 32-bit biases.

    Weights are rounded and biases corrected so that errors cancel on the calibration data (corrected.py).

    ``method``: how a range is cut, "mse", "percentile" or "minmax" (clipping.py); ``percent`` for "percentile".
    ``keep_float``: this many operators stay float, those whose noise costs most (sensitivity.py, keep.py).
    ``weight_bits``: 8, 7, or 0 for what the machine's instructions add without saturating.
    ``activation_bits``: 8 or 7; 7 is in the graph as a Clip to half the steps, which every engine obeys.
    ``run``: weights that let sums in 16 bits hold about so many quads (bound.py), 0 for none. What that costs stands
    in the file's metadata (``OUTPUT_DB``): operator -> signal over noise of its product in dB, without it and with it.
    """

    method: str = "mse"
    percent: float = 99.99
    keep_float: int = 0
    weight_bits: int = 0
    activation_bits: int = 8
    run: int = 0

    name: ClassVar[str] = "quantize_static"
    takes: ClassVar[Kind] = Kind("onnx", needs=frozenset({"float"}), forbids=frozenset({"bf16", "f16"}))
    gives: ClassVar[Kind] = Kind("onnx", needs=frozenset({"static-int8", "fused"}), forbids=frozenset({"float"}))
    engine_settings: ClassVar[Mapping[str, str]] = {"activation_bits": "native", "run": "native"}

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"quantize_static: method is {self.method!r}", f"Choose one of {', '.join(METHODS)}.")
        if not 50 < self.percent <= 100:
            raise UsageError(f"quantize_static: percent is {self.percent}", "It lies above 50 and up to 100.")
        if self.keep_float < 0 or self.weight_bits not in (0, 7, 8):
            raise UsageError(f"quantize_static: keep_float {self.keep_float}, weight_bits {self.weight_bits}",
                             "keep_float is 0 or more, weight_bits 0 (automatic), 7 or 8.")  # fmt: skip
        require_sums(self.name, self.activation_bits, self.run)

    @classmethod
    def choices(cls, model: Model, hardware: Hardware) -> tuple[Step, ...]:
        if model.form == "onnx" and not weighted_nodes(prepared(model)):
            return ()
        first, *others = (Step(cls.name, {"method": m} if m != cls.method else {}) for m in METHODS)
        return (first, *sums_choices(cls.name, hardware), *others)

    def apply(self, model: Model, context: Context) -> Model:
        graph = prepared(model)
        if opset(graph) < FIRST_OPSET:
            raise PreconditionError(f"quantize_static needs opset {FIRST_OPSET}, and onnx cannot raise {opset(graph)}")
        count = len(weighted_nodes(graph))
        if count <= self.keep_float:
            raise PreconditionError(f"{count} operators can be quantized and {self.keep_float} are to stay float")
        everything = coverage(graph)
        # the tensors themselves, not only whose range they share: with operators kept float some stand on their own
        observed = observe(graph, model, everything.tensors, context)
        levels = 2**self.activation_bits - 1
        ranges = {name: METHODS[self.method](seen, self.percent, levels) for name, seen in observed.items()}
        bits = self.weight_bits or (7 if context.hardware.int8_saturates else 8)
        moments = input_moments(graph, everything.weighted, ranges, context, levels)
        weights = corrected(graph, everything.weighted, ranges, bits, moments, levels, self.run)
        plan = everything
        if self.keep_float:
            ranked = ranking(graph, model, ranges, bits, context, weights, levels)
            plan = coverage(graph, kept_float(graph, ranked, self.keep_float))
        insert_pairs(graph, plan, ranges, bits, weights, levels)
        if self.run:
            note_output_db(graph, {n: db for n in plan.weighted if (db := weights[n].output_db)})
        return save(graph, model, context.scratch, self.name, add=("static-int8", "fused"), drop=("float",))

    def ensures(self, before: Model, after: Model, context: Context) -> None:
        for sizes in probe_sizes(before, context):
            inputs = probe(before, context, sizes)
            require_sound(self.name, context.run(before, inputs), context.run(after, inputs))
