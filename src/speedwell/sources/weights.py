"""Weights of a module to safetensors and back, strict, with tied tensors stored once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ModelNotFoundError, UnsupportedModelError, WeightsMismatchError

if TYPE_CHECKING:
    import torch

__all__ = ["SHOWN", "load_weights", "read_safetensors", "save_tensors", "save_weights", "untied"]

SHOWN = 5
"""Names listed of each kind of mismatch."""


def save_weights(module: torch.nn.Module, path: Path) -> None:
    """Write the module's parameters and persistent buffers; tensors that share memory (tied weights) once.

    Raises ``UnsupportedModelError`` for state that is not a tensor, and for parameters that have no value yet.
    """
    save_tensors(module.state_dict(), path)


def save_tensors(tensors: Mapping[str, Any], path: Path) -> None:
    """As ``save_weights``, of a state dict."""
    import torch
    from safetensors.torch import save_file

    for name, value in tensors.items():
        if not isinstance(value, torch.Tensor):
            raise UnsupportedModelError(
                f"the module keeps state that is no tensor: {name!r} is a {type(value).__name__}",
                "Keep it as a buffer (register_buffer), or build it in the factory instead of in the state dict.",
            )
        if torch.nn.parameter.is_lazy(value) or value.is_meta:
            raise UnsupportedModelError(
                f"the parameter {name!r} has no value yet (a lazy layer, or the meta device)",
                "Run the module once on an example inside the factory before returning it.",
            )
        if value.layout != torch.strided or value.is_quantized:
            raise UnsupportedModelError(
                f"the tensor {name!r} is {'quantized' if value.is_quantized else 'sparse'}; weights must be plain",
                "Give the float network; Speedwell quantizes it and measures what that costs.",
            )
    kept = {n: v.to("cpu").clone(memory_format=torch.contiguous_format) for n, v in untied(tensors).items()}
    save_file(kept, str(path))


def untied(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """``tensors`` without gradients, those that are one and the same tensor (tied weights) once, by the first name."""
    kept: dict[str, torch.Tensor] = {}
    seen: set[tuple[Any, ...]] = set()
    for name, value in tensors.items():
        place = _place(value)
        if value.numel() and place in seen:
            continue
        seen.add(place)
        kept[name] = value.detach()
    return kept


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors in a file. Raises ``ModelNotFoundError`` or ``UnsupportedModelError`` (not a safetensors file)."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelNotFoundError(f"there is no weights file {path}")
    try:
        return load_file(str(path))
    except (SafetensorError, ValueError, KeyError) as error:
        raise UnsupportedModelError(f"{path} is not a whole safetensors file: {error}") from error


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Load a safetensors file strict: every tensor of the module, nothing else, each of the module's shape.

    A tied tensor may be stored under one of its names. A prefix that all names share ("module.", "model.",
    "_orig_mod.") is taken off or put on where that makes the names match exactly. Raises ``WeightsMismatchError``.
    """
    found = read_safetensors(path)
    state = module.state_dict()
    found = _renamed(found, state)
    _fill_tied(found, state)
    missing = [name for name in state if name not in found]
    unexpected = [name for name in found if name not in state]
    misshapen = [
        f"{name}: {list(found[name].shape)} in the file, {list(state[name].shape)} in the module"
        for name in state
        if name in found and found[name].shape != state[name].shape
    ]
    if missing or unexpected or misshapen:
        raise _mismatch(path, missing, unexpected, misshapen, len(state))
    module.load_state_dict(found, strict=True)


def _place(value: torch.Tensor) -> tuple[Any, ...]:
    return (value.device, value.data_ptr(), value.dtype, tuple(value.shape), value.stride())


def _renamed(found: dict[str, torch.Tensor], state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """``found`` with one shared prefix taken off or put on, where that is what the module calls its tensors."""
    # a tied tensor may be absent, so a match is: every name known, and the names as given are not
    if not found or any(name in state for name in found):
        return found
    prefix = next(iter(found)).partition(".")[0] + "."
    while all(name.startswith(prefix) for name in found):
        bare = {name[len(prefix) :]: value for name, value in found.items()}
        if all(name in state for name in bare):
            return bare
        head = next(iter(found))[len(prefix) :].partition(".")
        if not head[1]:
            break
        prefix += head[0] + "."
    for prefix in {name.partition(".")[0] + "." for name in state}:
        longer = {prefix + name: value for name, value in found.items()}
        if all(name in state for name in longer):
            return longer
    return found


def _fill_tied(found: dict[str, torch.Tensor], state: Mapping[str, Any]) -> None:
    places: dict[tuple[Any, ...], str] = {_place(state[n]): n for n in found if n in state and state[n].numel()}
    for name, value in state.items():
        if name not in found and (twin := places.get(_place(value))) is not None:
            found[name] = found[twin]


def _mismatch(
    path: Path, missing: Sequence[str], unexpected: Sequence[str], misshapen: Sequence[str], total: int
) -> WeightsMismatchError:
    def listed(kind: str, names: Sequence[str]) -> str:
        more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"\n  {kind} ({len(names)}): {'; '.join(names[:SHOWN])}{more}" if names else ""

    what = f"{path.name} does not fit the module, which has {total} tensors:"
    what += listed("missing", missing) + listed("unexpected", unexpected) + listed("of another shape", misshapen)
    if misshapen and not missing and not unexpected:
        fix = "The names fit, the sizes do not: build the network with the sizes (classes, widths) it was trained with."
    elif len(missing) == total:
        fix = "No name fits: these weights are of another network, or of the network inside this one."
    else:
        fix = "Build the very network that was saved, and save it with torch.save(model.state_dict(), 'model.pth')."
    return WeightsMismatchError(what, fix)
