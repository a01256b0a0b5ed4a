"""Lower an ONNX file to a plan: read it, rewrite it until it reads like the executor's operators, write it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import EngineError, UsageError
from . import (
    accumulation,
    attention,
    attention_precision,
    bias,
    constants,
    dead,
    duplicates,
    dynamic_gemm,
    epilogue,
    fill,
    flattened,
    float_gemm,
    float_weights,
    gelu,
    identity,
    int4_gemm,
    int8_gemm,
    integer_gemm,
    layer_norm,
    layer_scale,
    lookup,
    mask,
    merge_products,
    movement,
    patches,
    plain_gemm,
    pooling,
    quantize,
    quantized_output,
    shared_rows,
)
from .engine import kinds
from .graph import Graph
from .numbering import numbered, require_supported
from .reading import read
from .shapes import infer_all
from .widening import Widening, shares_by_length, widenings
from .write import write_plan

__all__ = ["ROW_LEVELS", "LowerOptions", "PlanFacts", "lower", "rewrites"]

ROW_LEVELS = "speedwell.row_levels"
"""What an ONNX file says of 7 bits at run time, which no standard operator can; ``quantize_dynamic`` writes it."""
LEVELS = (127, 255)


@dataclass(frozen=True)
class LowerOptions:
    """``row_levels``: the largest step of a row that is quantized at run time, 255 (8 bits) or 127 (7 bits, which lets
    sums stay in 16 bits longer); 0 for what the file asks for in its metadata (``ROW_LEVELS``), else 255. ``runs``:
    plan how far sums may go in 16 bits, which takes seconds and which only CPUs with AVX2 and no VNNI read (runs.py).
    ``attention``: what the products inside an attention between integer products are computed in: "int8", "float32",
    or "fastest", the faster one by sizes and CPU; any other attention stays in float32 (attention_precision.py).
    """

    row_levels: int = 0
    runs: bool = True
    attention: str = "fastest"

    def __post_init__(self) -> None:
        if self.row_levels not in (0, *LEVELS):
            raise UsageError(f"row_levels is {self.row_levels}", "It is 255, 127, or 0 for what the file asks for.")
        if self.attention not in attention_precision.PRECISIONS:
            raise UsageError(f"attention is {self.attention!r}", f"It is one of {attention_precision.PRECISIONS}.")


@dataclass(frozen=True)
class PlanFacts:
    """``operators``: how many of each kind. ``weight_bytes``: of all tensors. ``rewritten``: finds of each rewrite.
    ``products``: T of every int8 product (widening.py). ``run_shares``: T to the share of the multiply-adds of int8
    products that run at it, the same number of rows in each.
    """

    operators: Mapping[str, int]
    weight_bytes: int
    rewritten: Mapping[str, int]
    products: tuple[Widening, ...] = ()

    @property
    def run_shares(self) -> dict[int, float]:
        return shares_by_length((product, product.columns * product.depth) for product in self.products)


def rewrites(options: LowerOptions) -> tuple[tuple[str, Callable[[Graph], int]], ...]:
    """Name and rewrite, in the order they run; what nobody reads any more goes after each."""
    rows = options.row_levels or LEVELS[-1]
    last = (("accumulation", accumulation.rewrite),) if options.runs else ()
    return (
        ("constants", constants.rewrite),
        ("identity", identity.rewrite),
        ("fill", fill.rewrite),
        ("pooling", pooling.rewrite),
        ("duplicates", duplicates.rewrite),
        ("quantize", quantize.rewrite),
        ("movement", movement.rewrite),
        ("patches", lambda graph: patches.rewrite(graph, rows)),
        ("gelu", gelu.rewrite),
        ("int8_gemm", int8_gemm.rewrite),
        ("int4_gemm", lambda graph: int4_gemm.rewrite(graph, rows)),
        ("dynamic_gemm", lambda graph: dynamic_gemm.rewrite(graph, rows)),
        ("integer_gemm", integer_gemm.rewrite),
        ("float_weights", float_weights.rewrite),
        ("float_gemm", float_gemm.rewrite),
        ("plain_gemm", plain_gemm.rewrite),
        ("bias", bias.rewrite),
        ("shapes", infer_all),
        ("attention", attention.rewrite),
        ("mask", mask.rewrite),
        ("movement", movement.rewrite),
        ("flattened", flattened.rewrite),
        ("movement", movement.rewrite),
        ("duplicates", duplicates.rewrite),
        ("layer_scale", layer_scale.rewrite),
        ("merge_products", merge_products.rewrite),
        ("attention_precision", lambda graph: attention_precision.rewrite(graph, options.attention)),
        ("epilogue", epilogue.rewrite),
        ("lookup", lookup.rewrite),
        ("layer_norm", layer_norm.rewrite),
        ("quantized_output", quantized_output.rewrite),
        *last,
        ("shared_rows", shared_rows.rewrite),
    )


def lower(onnx_path: Path, folder: Path, options: LowerOptions = LowerOptions()) -> PlanFacts:
    """Write the plan of the ONNX file at ``onnx_path`` into ``folder`` (plan.json and weights.safetensors).

    Raises ``UnsupportedError`` ("unsupported: names") for what the executor does not have, ``EngineError`` where the
    file is not sound ONNX or asks for levels that there are not, ``OutputError`` where the folder cannot be written.
    """
    graph = read(onnx_path)
    found: Counter[str] = Counter()
    for name, rewrite in rewrites(_asked(options, graph.metadata)):
        found[name] += rewrite(graph)
        dead.rewrite(graph)
    require_supported(graph, kinds())
    plan, tensors = numbered(graph)
    write_plan(folder, plan, tensors)
    size = sum(array.nbytes for array in tensors.values())
    kinds_found = Counter(operator.kind for operator in plan.operators)
    products = widenings(plan, lambda names: {name: tensors[name] for name in names})
    return PlanFacts(kinds_found, size, {k: n for k, n in found.items() if n}, products)


def _asked(options: LowerOptions, metadata: Mapping[str, str]) -> LowerOptions:
    """``options`` with what the file asks for. Raises ``EngineError`` where it asks for what there is not."""
    said = metadata.get(ROW_LEVELS)
    if options.row_levels or said is None:
        return options
    if said not in map(str, LEVELS):
        raise EngineError(f"the file's metadata says {ROW_LEVELS} = {said[:40]!r}", "It is 127 or 255.")
    return replace(options, row_levels=int(said))
