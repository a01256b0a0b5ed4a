"""torch.compile with TorchInductor: C++ kernels made for this network, for the workload's batch and any sequence."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import EngineError
from ..core.hardware import Hardware
from ..core.model import Form, Model
from ..core.protocols import Availability, Session
from ..core.signature import BATCH, Signature
from ..core.workload import Workload
from .complaint import complaint
from .eager import TORCH_MINIMUM
from .installed import installed
from .precision import asked
from .torch_session import TorchSession, load_module, torch_reads, use_threads

if TYPE_CHECKING:
    import torch

__all__ = ["Inductor", "compiler"]

UNSAID = 16
"""Size of a symbolic dimension that the workload does not give; it stays dynamic in the compiled code."""


class Inductor:
    """Reads the torch form. Its compiled code is kept under ``scratch/inductor``: the same network compiled there
    again, in another process, takes a second instead of ten.
    """

    name = "inductor"

    def availability(self, hardware: Hardware) -> Availability:
        torch = installed("torch", TORCH_MINIMUM, "torch")
        if not torch.ok:
            return torch
        if hardware.system.startswith("Windows"):
            return Availability(False, torch.version, "inductor is not run on Windows by Speedwell; use WSL")
        if not compiler():
            why = f"no C++ compiler: {_wanted()} is not there. apt-get install g++, or set CXX to one"
            return Availability(False, torch.version, why)
        if not Path(sysconfig.get_path("include"), "Python.h").exists():
            why = "Python.h is not there, and the compiled code includes it. apt-get install python3-dev"
            return Availability(False, torch.version, why)
        return torch

    def reads(self, form: Form, traits: frozenset[str]) -> str:
        return torch_reads(form, traits)

    def compile(self, model: Model, workload: Workload, scratch: Path) -> Session:
        if why := self.reads(model.form, model.traits):
            raise EngineError(f"{self.name} {why}")
        if not compiler():
            raise EngineError(f"no C++ compiler: {_wanted()} is not there", "apt-get install g++, or set CXX to one")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(scratch / "inductor")
        use_threads(workload.threads)
        import torch
        import torch._inductor.config as config

        config.compile_threads = 1  # no pool of compiler processes: a worker must leave no orphan
        module = load_module(model, self.name)
        forms = _Forms(module, model, workload)
        example = _example(model.signature, workload)
        before = _counters()
        try:
            with torch.inference_mode():
                forms({n: torch.from_numpy(a) for n, a in example.items()}, forms.batch)
        except Exception as error:
            raise complaint(self.name, "compile", error) from error
        after = _counters()
        facts = {"mode": "inductor"} | {k: str(after[k] - before[k]) for k in after}
        return TorchSession(model, workload, self.name, module, forms, forms.profiled, facts)


class _Forms:
    """The compiled module twice: for the workload's batch, and for any batch, compiled when one comes.

    A second form instead of padding: that a sample's output does not depend on its neighbours is the network's to say.
    Tried and left out (one run each, batch 1, 2 threads, a shared AVX-512 machine, ms; a hint, not a claim):
    channels-last weights and frozen weights on EfficientNet-Lite0, 14.2 to 14.8 with either, both or none; frozen
    weights on MiniLM's shape, 12.1 against 12.5, with a longer first compile.
    """

    def __init__(self, module: torch.nn.Module, model: Model, workload: Workload, **options: Any) -> None:
        self._module = module
        self._model = model
        self._workload = workload
        self._options = options
        self.batch = workload.batch if BATCH in model.signature.symbols else None
        self._half = asked(model.traits) == "bf16"
        self._static: Any = None
        self._dynamic: Any = None

    def __call__(self, tensors: Mapping[str, torch.Tensor], batch: int | None) -> Mapping[str, torch.Tensor]:
        import torch

        if batch == self.batch:
            if self._static is None:
                self._static = self._compile(tensors, {s for s in self._model.signature.symbols if s != BATCH})
            form = self._static
        else:
            if self._dynamic is None:
                self._dynamic = self._compile(tensors, set(self._model.signature.symbols))
            form = self._dynamic
        if self._half:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self._call(form, tensors)
        return self._call(form, tensors)

    def profiled(self) -> _Forms:
        """The same network compiled with a timer around each kernel."""
        return _Forms(self._module, self._model, self._workload, **{"cpp.enable_kernel_profile": True})

    def _call(self, form: Any, tensors: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        from ..sources import call_module

        return call_module(form, tensors, self._model.signature)

    def _compile(self, tensors: Mapping[str, torch.Tensor], symbols: set[str]) -> Any:
        import torch

        use_threads(self._workload.threads)  # the number is written into the compiled code
        for spec in self._model.signature.inputs:
            for position, size in enumerate(spec.shape):
                if size in symbols:
                    torch._dynamo.maybe_mark_dynamic(tensors[spec.name], position)
                else:
                    torch._dynamo.mark_static(tensors[spec.name], position)
        # ``dynamic`` also keeps the two forms' compiled code apart: torch looks code up by function and backend.
        return torch.compile(self._module, dynamic=True if BATCH in symbols else None, options=self._options or None)


def compiler() -> str:
    """Path of the C++ compiler that inductor will call; "" where there is none."""
    return shutil.which(_wanted()) or ""


def _wanted() -> str:
    return os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")


def _example(signature: Signature, workload: Workload) -> dict[str, np.ndarray]:
    """Zeros of the workload's shapes: valid token ids, valid pixels."""
    sizes = {s: UNSAID for s in signature.symbols} | {BATCH: workload.batch}
    return {t.name: np.zeros(workload.shapes.get(t.name) or t.bind(sizes), t.dtype) for t in signature.inputs}


def _counters() -> dict[str, int]:
    """How many graphs torch has compiled in this process, and how often Python code broke one apart."""
    from torch._dynamo.utils import counters

    return {
        "graphs": int(counters["stats"]["unique_graphs"]),
        "graph breaks": int(sum(counters["graph_break"].values())),
    }
