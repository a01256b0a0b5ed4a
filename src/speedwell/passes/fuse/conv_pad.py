"""A Pad with zeros in front of a Conv becomes the Conv's own padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph import constant, is_op, only_use

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["rewrite"]


def rewrite(model: ir.Model) -> int:
    """Merge Pad (constant mode, value 0, spatial axes, nothing cut) into Conv. Returns how many Pads went."""
    import onnx_ir as ir

    count = 0
    for pad in list(model.graph):
        if not is_op(pad, "Pad"):
            continue
        conv = only_use(pad.outputs[0])
        extra = _spatial_zeros(pad)
        if conv is None or not is_op(conv, "Conv") or conv.inputs[0] is not pad.outputs[0] or extra is None:
            continue
        auto, own = conv.attributes.get("auto_pad"), conv.attributes.get("pads")
        if auto is not None and auto.as_string() != "NOTSET":
            continue
        pads = list(own.as_ints()) if own is not None else [0] * len(extra)
        conv.attributes["pads"] = ir.AttrInt64s("pads", [a + b for a, b in zip(pads, extra, strict=True)])
        source = pad.inputs[0]
        assert source is not None
        conv.replace_input_with(0, source)
        model.graph.remove(pad, safe=True)
        count += 1
    return count


def _spatial_zeros(pad: ir.Node) -> list[int] | None:
    """Begin and end pads of the spatial axes; None where the node pads with something else, elsewhere, or cuts."""
    mode = pad.attributes.get("mode")
    if (mode is not None and mode.as_string() != "constant") or len(pad.inputs) < 2:
        return None
    if len(pad.inputs) > 2 and pad.inputs[2] is not None:
        fill = constant(pad.inputs[2])
        if fill is None or fill.any():
            return None
    pads = constant(pad.inputs[1])
    if pads is None or (pads < 0).any():
        return None
    half = len(pads) // 2
    if len(pad.inputs) > 3 and pad.inputs[3] is not None:
        axes, shape = constant(pad.inputs[3]), pad.inputs[0].shape if pad.inputs[0] is not None else None
        if axes is None or shape is None:
            return None
        rank = len(shape)
        full = [0] * (2 * rank)
        for i, axis in enumerate(axes.tolist()):
            full[axis % rank], full[axis % rank + rank] = int(pads[i]), int(pads[i + half])
    else:
        rank, full = half, [int(p) for p in pads]
    if any(full[i] for i in (0, 1, rank, rank + 1)):
        return None
    return full[2:rank] + full[rank + 2 :]
