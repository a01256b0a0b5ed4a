"""A network at rest: a path, never a live object, so that it can be hashed, cached, sent to a worker and resumed.

Forms:
  ``onnx``   payload = one ``.onnx`` file (weights inside; only beyond 2 GB in ``<name>.data`` beside it).
  ``torch``  payload = a folder: ``module.json`` (what builds the module, see ``TorchPayload``) and
             ``weights.safetensors`` (loaded strict); a live module adds ``module.pkl`` (cloudpickle), which
             stays in the run's own scratch folder and never enters a cache or a bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .digest import path_digest
from .signature import Signature

__all__ = ["TRAITS", "Form", "Model", "Origin", "TorchPayload"]

Form = Literal["torch", "onnx"]
TRAITS = frozenset({"float", "fused", "static-int8", "dynamic-int8", "w4", "bf16", "f16", "lifted"})


@dataclass(frozen=True)
class Origin:
    """Where a model came from. ``kind``: onnx, factory, hf, timm or live.

    ``hints``: what the source knows of preprocessing and labels, plain JSON, all keys optional:
    ``image`` (size, crop, mean, std, layout, colour), ``text`` (tokenizer path, max_length), ``classes`` (names).
    ``versions``: the libraries that build it, recorded for torch forms.
    """

    kind: str
    reference: str
    versions: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TorchPayload:
    """``module.json`` of a torch payload: what builds the module before the weights are loaded strict.

    ``builder``: "factory" (``reference`` = "module:callable"), "hf" (a folder), "timm" (a name) or "live".
    ``search_path``: folders put on ``sys.path`` before the factory is imported.
    ``edits``: structural edits as JSON, in order, each replayed by its pass's ``rebuild``.
    """

    builder: str
    reference: str
    search_path: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    edits: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Model:
    """One form of the network. ``digest`` is the content hash of the payload; make new ones with ``Model.of``."""

    form: Form
    payload: Path
    signature: Signature
    origin: Origin
    traits: frozenset[str]
    digest: str

    @staticmethod
    def of(
        form: Form, payload: Path, signature: Signature, origin: Origin, traits: Iterable[str] = ("float",)
    ) -> Model:
        """Hash ``payload`` and make the record. Traits outside ``TRAITS`` raise ``ValueError``."""
        traits = frozenset(traits)
        if unknown := traits - TRAITS:
            raise ValueError(f"unknown traits {sorted(unknown)}")
        return Model(form, payload, signature, origin, traits, path_digest(payload))

    def with_traits(self, *traits: str) -> Model:
        """The same payload with further traits (used where the engine, not the graph, carries the change)."""
        return replace(self, traits=self.traits | frozenset(traits))

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, exact."""
        if self.payload.is_file():
            data = self.payload.with_name(self.payload.name + ".data")
            return self.payload.stat().st_size + (data.stat().st_size if data.exists() else 0)
        return sum(p.stat().st_size for p in self.payload.rglob("*") if p.is_file())
