"""``to_onnx``: the torch form becomes the ONNX form, checked against torch at two batch and sequence sizes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..core import Context, Hardware, Kind, Model, Pass, Signature, Step, try_import
from ..core.errors import PassError, PreconditionError, PromiseError
from .closeness import require_close
from .graph import ONE_FILE_BYTES, load, opset, save
from .probe import probe, probe_sizes
from .quiet import quiet
from .scrub import scrub

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["OPSET", "ToOnnx"]

OPSET = 20
"""The first with Gelu; LayerNormalization is there since 17. ONNX Runtime >= 1.17 and OpenVINO >= 2024 read it."""
NOTE = "exporter"
"""Metadata key of the file: which exporter wrote it, and how many before it failed."""


@dataclass(frozen=True)
class ToOnnx(Pass):
    """``torch.onnx.export`` with dynamo, and with the TorchScript tracer where dynamo fails (said in the metadata).

    Every symbol of the signature stays dynamic; weights are inside the file below 2 GB; no local path is left in it.
    Lossless: ``ensures`` runs torch and the product on the same inputs at two sizes of every symbol.
    """

    name: ClassVar[str] = "to_onnx"
    takes: ClassVar[Kind] = Kind("torch", forbids=frozenset({"bf16", "f16"}))
    gives: ClassVar[Kind] = Kind("onnx")
    lossless: ClassVar[bool] = True

    @classmethod
    def choices(cls, model: Model, hardware: Hardware) -> tuple[Step, ...]:  # noqa: ARG003 - the contract
        return (Step(cls.name),) if model.form == "torch" else ()

    def requires(self, model: Model, context: Context) -> None:  # noqa: ARG002 - the contract
        if not model.signature.inputs or not model.signature.outputs:
            raise PreconditionError("to_onnx needs a complete signature", "Complete it with an example input first.")

    def apply(self, model: Model, context: Context) -> Model:
        torch = try_import("torch")
        from ..sources import build_module

        first, _ = probe_sizes(model, context)
        tensors = {name: torch.from_numpy(array) for name, array in probe(model, context, first).items()}
        module = _positional(build_module(model), model.signature)
        scratch = context.scratch / "to_onnx"
        scratch.mkdir(parents=True, exist_ok=True)
        failures: list[str] = []
        for exporter, export in EXPORTERS.items():
            path = scratch / "exported.onnx"
            try:
                with quiet() as heard, torch.no_grad():
                    export(module, tensors, model.signature, path)
                graph = load(path)
                _require_dynamic(graph, model.signature)
            # the exporters raise whatever the model's own code or torch's tracing raises: all of it is reported
            except Exception as error:
                failures.append(f"{exporter}: {_brief(error, heard)}")
                continue
            finally:
                for leftover in scratch.glob("exported.onnx*"):
                    leftover.unlink()
            scrub(graph)
            graph.metadata_props[NOTE] = exporter + (f" (after {len(failures)} failed)" if failures else "")
            return save(graph, model, context.scratch, "to_onnx", add=(), drop=())
        raise PassError(
            "torch.onnx.export fails on this model; " + "; ".join(failures),
            "The torch engines still run it. Data-dependent control flow is the usual cause: export the network "
            "without its post-processing.",
        )

    def ensures(self, before: Model, after: Model, context: Context) -> None:
        for sizes in probe_sizes(before, context):
            inputs = probe(before, context, sizes)
            require_close(self.name, context.run(before, inputs), context.run(after, inputs))


def _positional(module: Any, signature: Signature) -> Any:
    """``module`` as one that takes its inputs as positional tensors and gives a tuple, in the signature's order."""
    import torch

    from ..sources import call_module

    class Positional(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            inputs = dict(zip(signature.input_names, tensors, strict=True))
            return tuple(call_module(self.module, inputs, signature).values())

    return Positional().eval()


def _dynamo(dim: Callable[[str], Any]) -> Callable[..., None]:
    def export(module: Any, tensors: Mapping[str, Any], signature: Signature, path: Path) -> None:
        import torch

        shapes = tuple({a: dim(d) for a, d in enumerate(s.shape) if isinstance(d, str)} for s in signature.inputs)
        program = torch.onnx.export(
            module, tuple(tensors.values()), dynamo=True, dynamic_shapes=(shapes,), opset_version=OPSET,
            input_names=list(signature.input_names), output_names=list(signature.output_names), verbose=False,
        )  # fmt: skip
        assert program is not None
        size = sum(p.numel() * p.element_size() for p in module.parameters())
        program.save(str(path), external_data=size > ONE_FILE_BYTES)

    return export


def _named(name: str) -> Any:
    import torch

    return torch.export.Dim(name)


def _automatic(name: str) -> Any:  # noqa: ARG001 - the same call as ``_named``
    import torch

    return torch.export.Dim.AUTO


def _torchscript(module: Any, tensors: Mapping[str, Any], signature: Signature, path: Path) -> None:
    import torch

    axes = {
        s.name: {a: d for a, d in enumerate(s.shape) if isinstance(d, str)}
        for s in (*signature.inputs, *signature.outputs)
    }
    torch.onnx.export(
        module, tuple(tensors.values()), str(path), dynamo=False, dynamic_axes={k: v for k, v in axes.items() if v},
        opset_version=OPSET, input_names=list(signature.input_names), output_names=list(signature.output_names),
        do_constant_folding=True,
    )  # fmt: skip


EXPORTERS: Mapping[str, Callable[..., None]] = {
    "dynamo": _dynamo(_named),
    # named dimensions are a promise that torch.export refuses where the code relates them (n tokens + 1 class token)
    "dynamo, automatic dimensions": _dynamo(_automatic),
    "torchscript": _torchscript,
}


def _require_dynamic(graph: ir.Model, signature: Signature) -> None:
    if opset(graph) < 13:
        raise PromiseError(f"the exporter wrote opset {opset(graph)}")
    names = [v.name for v in graph.graph.inputs]
    if names != list(signature.input_names):
        raise PromiseError(f"the exporter kept the inputs {names} of {list(signature.input_names)}")
    for value, spec in zip(graph.graph.inputs, signature.inputs, strict=True):
        for axis, dim in enumerate(spec.shape):
            if isinstance(dim, str) and value.shape is not None and isinstance(value.shape[axis], int):
                raise PromiseError(f"the exporter fixed {dim!r} of {spec.name!r} at {value.shape[axis]}")


def _brief(error: Exception, heard: io.StringIO) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else heard.getvalue().strip()[-200:]
    return f"{type(error).__name__}: {text}"[:300]
