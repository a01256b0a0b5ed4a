"""Which operators lose most when they alone are quantized, measured at the network's output.

One graph holds both versions of every operator and a switch per operator selects; so ranking n operators takes one
session and n + 1 runs over a few calibration samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...core import BATCH, Arrays, Context, Model, bytes_digest
from ..closeness import sqnr_db
from ..graph import initializer, insert_before, replace_output
from ..reference import session
from .clipping import LEVELS, steps
from .corrected import Weight, corrected
from .coverage import coverage, weight_axis
from .qdq import clip_limits
from .ranges import calibration_batches, calibration_digest

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["SAMPLES", "ranking"]

SAMPLES = 16
"""Calibration samples per run."""


def ranking(
    graph: ir.Model,
    model: Model,
    ranges: Mapping[str, tuple[float, float]],
    weight_bits: int,
    context: Context,
    weights: Mapping[str, Weight] | None = None,
    levels: int = LEVELS,
) -> Mapping[str, float]:
    """Operator name -> SQNR in dB of the network's outputs with only it quantized (lowest = most sensitive).

    Deterministic; kept in scratch. ``graph`` is ``model``'s; ``ranges`` covers every operator's input; ``weights`` are
    those of corrected.py, without them the weights are rounded plainly. ``levels``: of the activations, 255 or 127.
    """
    described = [
        model.digest,
        calibration_digest(context),
        str(weight_bits),
        str(levels),
        json.dumps(ranges, sort_keys=True),
    ]
    described.append("plain" if weights is None else "corrected")
    store = context.scratch / f"sensitivity-{bytes_digest('|'.join(described).encode())[:32]}.json"
    if store.exists():
        kept: dict[str, float] = json.loads(store.read_text())
        return kept
    names = coverage(graph).weighted
    rounded = corrected(graph, names, ranges, weight_bits, {}, levels) if weights is None else weights
    switched = graph.clone()
    for name in names:
        # by the graph's own name of the input: a switch before it may have put another tensor there
        source = graph.graph.node(name).inputs[0]
        assert source is not None
        _switch(switched, name, ranges[str(source.name)], rounded[name], levels)
    found = _measure(switched, names, model, context)
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_text(json.dumps(found))
    return found


def _measure(switched: ir.Model, names: Sequence[str], model: Model, context: Context) -> dict[str, float]:
    import onnx_ir as ir

    path = context.scratch / "sensitivity.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        ir.save(switched, path)
        run = session(path, context.workload.threads, optimize=True)
    finally:
        path.unlink(missing_ok=True)
    feeds = _feeds(context, model)
    off = {_gate(n): np.array(False) for n in names}
    outputs = list(model.signature.output_names)
    floats = [run.run(outputs, {**feed, **off}) for feed in feeds]
    found: dict[str, float] = {}
    for name in names:
        on = off | {_gate(name): np.array(True)}
        noisy = [run.run(outputs, {**feed, **on}) for feed in feeds]
        a, b = (np.concatenate([o.reshape(-1) for r in rs for o in r if o.dtype.kind == "f"]) for rs in (floats, noisy))
        # an operator that changes nothing is written as a large finite number: JSON has no infinity
        found[name] = min(sqnr_db(a, b), 999.0)
    return found


def _feeds(context: Context, model: Model) -> list[Arrays]:
    """The first ``SAMPLES`` calibration samples; batches of one shape are joined where the batch size is free."""
    names = model.signature.input_names
    joins = all(spec.shape[:1] == (BATCH,) for spec in model.signature.inputs)
    groups: dict[tuple[tuple[int, ...], ...], list[Arrays]] = {}
    left = SAMPLES
    for i, batch in enumerate(calibration_batches(context, SAMPLES)):
        # without a free batch size a batch cannot be cut either
        part = {n: batch[n][:left] if joins else batch[n] for n in names}
        key = tuple(part[n].shape[1:] for n in names) if joins else ((i,),)
        groups.setdefault(key, []).append(part)
        left -= len(next(iter(part.values())))
        if left <= 0:
            break
    return [{n: np.ascontiguousarray(np.concatenate([p[n] for p in g])) for n in names} for g in groups.values()]


def _switch(model: ir.Model, name: str, limits: tuple[float, float], rounded_weight: Weight, levels: int) -> None:
    """Put the node and its quantized twin into the branches of an If, with a boolean network input to choose.

    Branches, so that each multiplies with a constant weight, which engines pack beforehand: a selected weight would
    be packed in every run.
    """
    import onnx_ir as ir

    node = model.graph.node(name)
    source, out = node.inputs[0], node.outputs[0]
    assert source is not None
    gate = ir.Value(name=_gate(name), shape=ir.Shape([]), type=ir.TensorType(ir.DataType.BOOL))
    model.graph.inputs.append(gate)
    scale, zero = steps(*limits, levels)
    ends = [initializer(model, f"{name}_{i}", end) for i, end in enumerate(clip_limits(scale, zero, levels))]
    parts = [initializer(model, f"{name}_s", np.asarray(scale)), initializer(model, f"{name}_z", np.asarray(zero))]
    axis = weight_axis(node)
    q, s = rounded_weight.quantized, rounded_weight.scale
    back = q.astype(np.float32) * s.reshape([-1 if i == axis else 1 for i in range(q.ndim)])
    rest = list(node.inputs[2:])
    moved = rest
    if rounded_weight.bias is not None:
        moved = [initializer(model, f"{name}_bq", rounded_weight.bias.astype(np.float32))]
    attributes = list(node.attributes.values())
    clip = ir.node("Clip", [source, *ends], name=f"{name}_clip")
    down = ir.node("QuantizeLinear", [clip.outputs[0], *parts], name=f"{name}_q")
    up = ir.node("DequantizeLinear", [down.outputs[0], *parts], name=f"{name}_dq")
    rounded = ir.Node("", node.op_type, [up.outputs[0], initializer(model, f"{name}_wq", back), *moved], attributes)
    plain = ir.Node("", node.op_type, [source, node.inputs[1], *rest], attributes)
    branches = {}
    for branch, nodes in (("then_branch", [clip, down, up, rounded]), ("else_branch", [plain])):
        result = nodes[-1].outputs[0]
        result.name, result.type, result.shape = f"{name}_{branch}", out.type, out.shape
        branches[branch] = ir.Graph([], [result], nodes=nodes, name=f"{name}_{branch}")
    chosen = insert_before(node, "If", [gate], branches, name=f"{name}_if", like=out)
    replace_output(out, chosen)
    model.graph.remove(node, safe=True)


def _gate(name: str) -> str:
    return f"speedwell_switch_{name}"
