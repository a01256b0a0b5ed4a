"""One way to call a module, for every engine and for the export: tensors in by name, tensors out by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from ..core import Model, Signature

if TYPE_CHECKING:
    import torch

__all__ = ["OUTPUT", "TEXT_ROLES", "call_module", "flatten_outputs", "forward_names", "forward_parameters"]

TEXT_ROLES = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "output"


def forward_parameters(model: Model) -> tuple[str, ...]:
    """Names of the inputs that the module's ``forward`` takes, in its order (known before any data is)."""
    return model.signature.input_names


def call_module(
    module: torch.nn.Module, inputs: Mapping[str, torch.Tensor], signature: Signature
) -> dict[str, torch.Tensor]:
    """Outputs by the signature's output names, in its order (by natural names while the signature has none).

    Inputs go by keyword where ``forward`` has those names, else by position in the signature's order. A tensor,
    tuple, list, dict or ModelOutput of any nesting comes back flat: "output"; "output_0", ...; or its keys.
    """
    names = signature.input_names or tuple(inputs)
    if _takes_keywords(module, names):
        answer = module(**{name: inputs[name] for name in names})
    else:
        answer = module(*(inputs[name] for name in names))
    flat = flatten_outputs(answer)
    return {name: flat[name] for name in signature.output_names} if signature.outputs else flat


def forward_names(module: torch.nn.Module) -> tuple[str, ...]:
    """The parameters of ``forward`` that are inputs of the network.

    Those without a default; where there are none (Hugging Face), the text roles from ``input_ids`` on, or
    ``pixel_values``, or the first. Text roles that have a default join ``input_ids``. ``*args`` gives one, by its name.
    """
    parameters = [p for p in inspect.signature(_forward(module)).parameters.values() if p.kind != p.VAR_KEYWORD]
    named = [p.name for p in parameters if p.kind != p.VAR_POSITIONAL]
    required = [p.name for p in parameters if p.default is p.empty and p.kind != p.VAR_POSITIONAL]
    if "input_ids" in named:
        return tuple(n for n in named if n in required or n in TEXT_ROLES)
    if required:
        return tuple(required)
    if "pixel_values" in named:
        return ("pixel_values",)
    return tuple(p.name for p in parameters[:1])


def flatten_outputs(answer: Any) -> dict[str, torch.Tensor]:
    """Every tensor in what ``forward`` returned, by name; what is no tensor is left out."""
    import torch

    if isinstance(answer, torch.Tensor):
        return {OUTPUT: answer}
    flat: dict[str, torch.Tensor] = {}
    _flatten(answer, "", flat)
    return flat


def _flatten(answer: Any, name: str, flat: dict[str, torch.Tensor]) -> None:
    import torch

    if isinstance(answer, torch.Tensor):
        flat[name] = answer
    elif isinstance(answer, Mapping):
        for key, value in answer.items():
            _flatten(value, f"{name}_{key}" if name else str(key), flat)
    elif isinstance(answer, tuple) and hasattr(answer, "_fields"):
        _flatten(cast("Any", answer)._asdict(), name, flat)
    elif isinstance(answer, (tuple, list)):
        for i, value in enumerate(answer):
            _flatten(value, f"{name or OUTPUT}_{i}", flat)


def _forward(module: Any) -> Callable[..., Any]:
    """The ``forward`` that was written, without ``self``, also under ``torch.compile``."""
    return cast("Callable[..., Any]", getattr(module, "_orig_mod", module).forward)


def _takes_keywords(module: Any, names: tuple[str, ...]) -> bool:
    # inspecting takes longer than a small network: once per class and names
    kind = type(getattr(module, "_orig_mod", module))
    key = (f"{kind.__module__}.{kind.__qualname__}", id(kind), names)
    if key not in _by_keyword:
        parameters = inspect.signature(_forward(module)).parameters
        by_name = {n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        open_ended = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
        positional = any(p.kind == p.VAR_POSITIONAL for p in parameters.values())
        _by_keyword[key] = set(names) <= by_name or (open_ended and not positional)
    return _by_keyword[key]


_by_keyword: dict[tuple[str, int, tuple[str, ...]], bool] = {}
