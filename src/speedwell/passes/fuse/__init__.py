"""``fuse``: fewer, larger operators with the same outputs. One rewrite per file, standard ONNX operators only.

Left out, with the reason: merging the Q, K and V projections into one MatMul and a Split. Tried on MiniLM at 11 tokens
(2 cores with AVX-512, best of 60, twice): ONNX Runtime 7 to 20 % faster, OpenVINO 7 to 17 % slower, and at 32 tokens
no difference beyond the noise. Quantized, the three share their input's integers anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...core import Context, Hardware, Kind, Model, Pass, Step
from ..closeness import require_close
from ..graph import infer_shapes, load, name_nodes, save
from ..probe import probe, probe_sizes
from . import batch_norm, constants, conv_bias, conv_pad, gelu, identity, layer_norm, transpose
from .opset import raised

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["REWRITES", "Fuse", "simplified"]

REWRITES: Mapping[str, Callable[[ir.Model], int]] = {
    "constants": constants.rewrite,
    "transpose": transpose.rewrite,
    "identity": identity.rewrite,
    "conv_pad": conv_pad.rewrite,
    "conv_bias": conv_bias.rewrite,
    "batch_norm": batch_norm.rewrite,
    "layer_norm": layer_norm.rewrite,
    "gelu": gelu.rewrite,
}
"""In the order they run; the whole list runs until nothing changes."""
ROUNDS = 4


def simplified(model: ir.Model) -> ir.Model:
    """The rewrites applied until none finds anything (at most ``ROUNDS`` times); the result may be a new object."""
    model = raised(model)
    for _ in range(ROUNDS):
        infer_shapes(model)
        name_nodes(model)
        if not sum(rewrite(model) for rewrite in REWRITES.values()):
            break
    return model


@dataclass(frozen=True)
class Fuse(Pass):
    """Apply every rewrite of ``REWRITES``. Lossless: ``ensures`` compares at two sizes of every symbol."""

    name: ClassVar[str] = "fuse"
    takes: ClassVar[Kind] = Kind("onnx", needs=frozenset({"float"}), forbids=frozenset({"fused"}))
    gives: ClassVar[Kind] = Kind("onnx", needs=frozenset({"fused"}))
    lossless: ClassVar[bool] = True

    @classmethod
    def choices(cls, model: Model, hardware: Hardware) -> tuple[Step, ...]:  # noqa: ARG003 - the contract
        return () if "fused" in model.traits else (Step(cls.name),)

    def apply(self, model: Model, context: Context) -> Model:
        return save(simplified(load(model.payload)), model, context.scratch, "fuse", add=("fused",), drop=())

    def ensures(self, before: Model, after: Model, context: Context) -> None:
        for sizes in probe_sizes(before, context):
            inputs = probe(before, context, sizes)
            require_close(self.name, context.run(before, inputs), context.run(after, inputs))
