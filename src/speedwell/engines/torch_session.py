"""What eager and inductor share: a torch module that is called with numpy arrays and answers with them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.context import Arrays
from ..core.errors import EngineError, SpeedwellError
from ..core.model import Form, Model
from ..core.protocols import OperatorTime
from ..core.workload import Workload
from .complaint import complaint
from .feed import Feed, in_place
from .operator_times import operator_times
from .precision import QUANTIZED, asked, machine, no_bf16

if TYPE_CHECKING:
    import torch

    Call = Callable[[Mapping[str, torch.Tensor], int | None], Mapping[str, torch.Tensor]]

__all__ = ["TorchSession", "load_module", "operator_kind", "torch_reads", "use_threads"]


_KERNEL = re.compile(r"graph_\d+_(?:cpp_)?(fused_.+?)_\d+")
_CALLING = re.compile(r"## Call CompiledFxGraph|Torch-Compiled Region|TorchDynamo|Pregraph bytecode|AOTDispatcher")


def operator_kind(event: str) -> str:
    """A profiler event by what a person calls it: "conv2d", "fused_add_relu", "calling compiled code"."""
    if kernel := _KERNEL.fullmatch(event):
        return kernel.group(1)
    return "calling compiled code" if _CALLING.match(event) else event.removeprefix("aten::")


def torch_reads(form: Form, traits: frozenset[str]) -> str:
    """Why a torch engine cannot compile this; "" where it can."""
    if form != "torch":
        return f"reads the torch form only, this is {form}"
    if quantized := traits & QUANTIZED:
        return f"does not run {', '.join(sorted(quantized))}: that is in the onnx form"
    if "f16" in traits:
        return "computes float16 on CPUs slower than float32"
    return no_bf16(machine()) if "bf16" in traits else ""


def use_threads(count: int) -> None:
    """``count`` threads inside an operator, 1 between operators: for the whole process, a session lives in its own."""
    import torch

    torch.set_num_threads(count)
    if torch.get_num_interop_threads() != 1:
        # torch refuses after its first parallel work; facts() then says how many there are.
        with contextlib.suppress(RuntimeError):
            torch.set_num_interop_threads(1)


def load_module(model: Model, engine: str) -> torch.nn.Module:
    """The network in eval mode. With the trait ``bf16`` the weights of linear and convolution layers are bfloat16.

    Those layers are where the time goes; all else stays float32 and autocast joins the two. Casting the whole
    network would fail wherever its code makes a float32 tensor by itself (masks, position tables).
    """
    import torch

    from ..sources import build_module

    try:
        module = build_module(model)
    except SpeedwellError:
        raise
    except Exception as error:
        raise complaint(engine, "build the network", error) from error
    if asked(model.traits) == "bf16":
        for layer in module.modules():
            if isinstance(layer, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)):
                layer.to(torch.bfloat16)
    return module


class TorchSession:
    """``call`` takes tensors by name and the batch, and gives tensors by name; ``profiled`` is called in its place
    while profiling. ``facts`` are added to those that every torch session has.
    """

    def __init__(
        self,
        model: Model,
        workload: Workload,
        engine: str,
        module: torch.nn.Module,
        call: Call,
        profiled: Callable[[], Call],
        facts: Mapping[str, str],
    ) -> None:
        import torch

        self._torch = torch
        self._model = model
        self._engine = engine
        self._feed = Feed(model.signature)
        self._names = model.signature.input_names
        self._threads = workload.threads
        self._call: Call | None = call
        self._profiled: Callable[[], Call] | None = profiled
        self._facts = dict(facts)
        self._floats = {t.name for t in model.signature.outputs if t.dtype == "float32"}
        # An output that is one of these would change under the caller's hands, so it is copied.
        self._own = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        return self._run(inputs, self._alive())

    def profile(self, inputs: Arrays, runs: int) -> tuple[OperatorTime, ...]:
        """From torch's profiler: time inside each operator without what it calls. The first run is not counted."""
        import torch

        self._alive()
        assert self._profiled is not None  # set and cleared together with the call
        call = self._profiled()
        self._run(inputs, call)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], acc_events=True) as profiler:
            for _ in range(runs):
                self._run(inputs, call)
        rows = [
            (operator_kind(event.key), event.self_cpu_time_total * 1e-6, event.count)
            for event in profiler.key_averages()
            if event.self_cpu_time_total > 0
        ]
        return operator_times(rows, runs)

    def facts(self) -> dict[str, str]:
        import torch

        self._alive()
        return {
            "provider": "CPU",
            "precision": asked(self._model.traits),
            "threads": str(torch.get_num_threads()),
            "threads between operators": str(torch.get_num_interop_threads()),
            "version": torch.__version__,
            **self._facts,
        }

    def close(self) -> None:
        self._call = self._profiled = None

    def _alive(self) -> Call:
        if self._call is None:
            raise EngineError(f"this {self._engine} session is closed")
        return self._call

    def _run(self, inputs: Arrays, call: Call) -> dict[str, np.ndarray]:
        torch = self._torch
        arrays = self._feed(inputs)
        try:
            with torch.inference_mode():
                tensors = {n: torch.from_numpy(in_place(a)) for n, a in zip(self._names, arrays, strict=True)}
                outputs = call(tensors, self._feed.batch)
                given = [t.untyped_storage().data_ptr() for t in tensors.values()]
                return {name: self._array(name, tensor, given) for name, tensor in outputs.items()}
        except SpeedwellError:
            raise
        except Exception as error:
            raise complaint(self._engine, "run", error) from error

    def _array(self, name: str, tensor: torch.Tensor, given: list[int]) -> np.ndarray:
        if name in self._floats and tensor.dtype is not self._torch.float32:
            tensor = tensor.float()
        tensor = tensor.contiguous()
        array: np.ndarray[Any, Any] = tensor.numpy()
        place = tensor.untyped_storage().data_ptr()
        return array.copy() if place in self._own or place in given else array
