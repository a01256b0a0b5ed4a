"""PyTorch as it is: what "the original" means for a torch model. Nothing is tuned here, on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import EngineError
from ..core.hardware import Hardware
from ..core.model import Form, Model
from ..core.protocols import Availability, Session
from ..core.workload import Workload
from .installed import installed
from .precision import asked
from .torch_session import TorchSession, load_module, torch_reads, use_threads

if TYPE_CHECKING:
    import torch

__all__ = ["TORCH_MINIMUM", "Eager"]

TORCH_MINIMUM = "2.9"


class Eager:
    """Reads the torch form, in float32, or bf16 by autocast where the hardware has it."""

    name = "eager"

    def availability(self, hardware: Hardware) -> Availability:  # noqa: ARG002 - wherever torch installs
        return installed("torch", TORCH_MINIMUM, "torch")

    def reads(self, form: Form, traits: frozenset[str]) -> str:
        return torch_reads(form, traits)

    def compile(self, model: Model, workload: Workload, scratch: Path) -> Session:  # noqa: ARG002 - writes nothing
        if why := self.reads(model.form, model.traits):
            raise EngineError(f"{self.name} {why}")
        import torch

        from ..sources import call_module

        use_threads(workload.threads)
        module = load_module(model, self.name)
        signature, half = model.signature, asked(model.traits) == "bf16"

        def call(tensors: Mapping[str, torch.Tensor], batch: int | None) -> Mapping[str, torch.Tensor]:  # noqa: ARG001
            if half:
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    return call_module(module, tensors, signature)
            return call_module(module, tensors, signature)

        return TorchSession(model, workload, self.name, module, call, lambda: call, {"mode": "eager"})
