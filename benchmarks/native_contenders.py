"""Who takes part in ``native.py``: our engine in its forms, and the peers at their best documented settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from native_networks import Network

__all__ = ["BUSY", "HELD", "MARCH", "MASKED", "WORDS", "Contender", "held_note", "ours", "peers", "title"]

WORDS: Mapping[str, str] = {"static": "static int8", "dynamic": "dynamic int8", "float": "float32"}
BUSY = ", one core busy"
MARCH = "TORCHINDUCTOR_CPP_MARCH"
HELD: Mapping[str, str] = {
    "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2", MARCH: "x86-64-v3",
}  # fmt: skip
"""What holds OpenVINO (oneDNN and the plugin's own generators) and torch (oneDNN, its vector code, FBGEMM, MKL)."""
MASKED = "CPUID masked"
FREE = ("512", "amx", "vnni", "mlas")
"""In the names of OpenVINO's kernels that are not held (MLAS looks at the CPU itself)."""
QUICK: Mapping[str, tuple[str, ...]] = {
    "minilm": ("torch dynamic int8", "openvino static int8", "inductor float32"),
    "deit_tiny": ("openvino static int8", "inductor float32", "torch eager float32"),
}
"""The fastest three by the design's table (2 cores AVX2 without VNNI), until a full run is committed."""
QUICK_OTHERS = ("torch dynamic int8", "openvino static int8", "onnxruntime static int8")


@dataclass(frozen=True)
class Contender:
    """``form``: static, dynamic or float. ``product``: what its runner opens. ``same_graph``: one of ours.

    ``against_all``: compared with every peer, not only with those of its form.
    """

    name: str
    form: str
    runner: str
    product: str
    same_graph: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    against_all: bool = False

    def group(self, mine: Contender) -> str:
        """Whether it runs the very graph that ``mine`` is lowered from."""
        return "same graph" if self.same_graph and self.form == mine.form else "each its own recipe"


PEERS = (
    Contender("onnxruntime static int8", "static", "onnxruntime", "static"),
    Contender("openvino static int8", "static", "openvino", "static"),
    Contender("onnxruntime dynamic int8, our graph", "dynamic", "onnxruntime", "dynamic"),
    Contender("onnxruntime dynamic int8", "dynamic", "onnxruntime", "ort_dynamic", False),
    Contender("torch dynamic int8", "dynamic", "eager", "torch", False, {"quantized": True}),
    Contender("onnxruntime float32, our graph", "float", "onnxruntime", "float"),
    Contender("onnxruntime float32", "float", "onnxruntime", "ort_float", False),
    Contender("openvino float32", "float", "openvino", "float"),
    Contender("inductor float32", "float", "inductor", "inductor", False),
    Contender("torch eager float32", "float", "eager", "torch", False),
)
HALF = Contender("openvino static int8, rest bf16", "static", "openvino", "static", False, {"precision": "bf16"})
"""What OpenVINO does where it is not told otherwise, on CPUs with bf16."""


def title(form: str, isas: Sequence[str], isa: str) -> str:
    """Our name of a form; the instruction set is said from the second on."""
    return f"native {WORDS[form]}" + ("" if isa == isas[0] else f", {isa}")


def ours(isas: Sequence[str], busy: bool, narrow: bool) -> tuple[Contender, ...]:
    """Each form on each instruction set. ``busy``: the first once more, beside a process that holds one core.

    ``narrow``: the first once more, with activations of 7 bits.
    """
    made = [
        Contender(title(form, isas, isa), form, "native", f"plan_{form}", options={"isa": isa})
        for isa in isas
        for form in WORDS
    ]
    made[0] = replace(made[0], against_all=True)
    if narrow:
        made.insert(1, replace(made[0], name=f"{made[0].name}, 7-bit activations", product="plan_narrow"))
    if busy:
        loaded = {"isa": isas[0], "busy": True}
        made.append(Contender(made[0].name + BUSY, "static", "native", "plan_static", options=loaded))
    return tuple(made)


def peers(network: Network, quick: bool, half: bool) -> tuple[Contender, ...]:
    """All of them, or the fastest three. ``half``: with OpenVINO in bf16."""
    if quick:
        names = QUICK.get(network.factory, QUICK_OTHERS)
        return tuple(p for p in PEERS if p.name in names)
    return (*PEERS, HALF) if half else PEERS


def held_note(contender: Contender, facts: Mapping[str, Any], how: str) -> str:
    """What is known of whether a peer was held to AVX2, ``how``: ``MASKED``, or by ``HELD``."""
    said = ""
    if contender.runner == "openvino":
        kernels = facts.get("kernels", {})
        words = FREE[:-1] if how == MASKED else FREE
        free = [f"{n} {kernel}" for kernel, n in sorted(kernels.items()) if any(word in kernel for word in words)]
        said = f" but for {', '.join(free)}" if free else ""
    elif "capability" in facts:
        said = f"; torch says {facts['capability']}"
    if how == MASKED:
        return f"{MASKED} to AVX2{said}"
    if contender.runner == "onnxruntime":
        return "not held to AVX2: it has no switch for that"
    return f"held to AVX2 by variables{said}"
