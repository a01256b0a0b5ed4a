"""Find a torch module's whole signature by running it: which names, types and dimensions, and which dimensions vary."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import BATCH, SEQUENCE, Dim, Model, Signature, TensorSpec
from ..core.errors import InputMismatchError, UnsupportedModelError
from .call import TEXT_ROLES, call_module
from .rebuild import build_module

if TYPE_CHECKING:
    import torch

__all__ = ["complete_signature", "match_inputs"]

Arrays = Mapping[str, np.ndarray]


def complete_signature(
    model: Model, example_inputs: Arrays, symbols: Mapping[str, Sequence[Dim]] | None = None
) -> Model:
    """The same model with a whole signature. ONNX forms come back as they are: the file says everything.

    ``example_inputs``: a batch of at least one, by input name (a single input may have any name). Dimension 0 is
    "batch" where the network also answers a batch of another size, and dimension 1 of integer inputs is "sequence"
    where it also answers another length; ``symbols`` gives the dimensions of an input by hand. An output's dimension
    that follows one of them is that symbol. Runs the module three to five times.
    Raises ``InputMismatchError`` where the network does not take the example, with its own words.
    """
    if model.form != "torch":
        return model
    module = build_module(model)
    inputs = match_inputs(model.signature.input_names, example_inputs)
    bare = Signature(tuple(TensorSpec(n, str(a.dtype), a.shape) for n, a in inputs.items()), ())
    probe = _Probe(module, bare)
    first = probe.shapes(inputs)
    if isinstance(first, Exception):
        raise InputMismatchError(
            "the network does not take the samples as prepared: "
            + ", ".join(f"{n} {a.dtype} {list(a.shape)}" for n, a in inputs.items())
            + f"; it says: {_line(first)}",
            "Name the preparation it was trained with (--size, --max-length), or set build.preprocessing.",
        ) from first
    if not first:
        raise UnsupportedModelError("the network returns no tensor", "Let forward return a tensor, tuple or dict.")
    dims = {n: list(symbols[n]) if symbols and n in symbols else list(a.shape) for n, a in inputs.items()}
    outputs: dict[str, list[Dim]] = {name: list(shape) for name, (_, shape) in first.items()}
    for symbol, axis, names in _open_axes(inputs, symbols):
        changed = {n: _resized(inputs[n], axis) if n in names else inputs[n] for n in inputs}
        second = probe.shapes(changed)
        if isinstance(second, Exception) or second.keys() != first.keys():
            continue  # a network of one fixed size: the numbers stay
        if symbol == SEQUENCE and not _accepts(first, second):
            continue
        for name in names:
            dims[name][axis] = symbol
        size, other = (next(iter(a[n].shape[axis] for n in names)) for a in (inputs, changed))
        _mark(outputs, first, second, symbol, (size, other))
    for name, shape in (symbols or {}).items():
        if len(shape) != inputs[name].ndim:
            raise InputMismatchError(f"symbols for {name!r} have rank {len(shape)}, the input has {inputs[name].ndim}")
    signature = Signature(
        tuple(TensorSpec(n, str(a.dtype), tuple(dims[n])) for n, a in inputs.items()),
        tuple(TensorSpec(n, dtype, tuple(outputs[n])) for n, (dtype, _) in first.items()),
    )
    return dataclasses.replace(model, signature=signature)


def match_inputs(names: Sequence[str], examples: Arrays) -> dict[str, np.ndarray]:
    """The examples by the names that ``forward`` uses, in its order.

    Optional text roles that have no example are left out. Raises ``InputMismatchError`` where they do not pair up.
    """
    if len(names) == 1 and len(examples) == 1:
        return {names[0]: np.asarray(next(iter(examples.values())))}
    missing = [n for n in names if n not in examples and n not in TEXT_ROLES[1:]]
    unknown = [n for n in examples if n not in names]
    if missing or unknown or not examples:
        raise InputMismatchError(
            f"the network takes {list(names)}, the samples give {list(examples)}",
            "Name the samples' arrays after the parameters of forward.",
        )
    return {n: np.asarray(examples[n]) for n in names if n in examples}


class _Probe:
    """Runs the module and tells each output's (dtype, shape), or the exception it raised."""

    def __init__(self, module: torch.nn.Module, signature: Signature) -> None:
        self._module = module
        self._signature = signature

    def shapes(self, inputs: Arrays) -> dict[str, tuple[str, tuple[int, ...]]] | Exception:
        import torch

        tensors = {n: torch.from_numpy(np.array(a, order="C")) for n, a in inputs.items()}
        try:
            with torch.inference_mode():
                answer = call_module(self._module, tensors, self._signature)
        # the network's own code may raise anything; the caller decides what that means
        except Exception as error:
            return error
        return {n: (str(t.dtype).removeprefix("torch."), tuple(t.shape)) for n, t in answer.items()}


def _open_axes(inputs: Arrays, symbols: Mapping[str, Sequence[Dim]] | None) -> list[tuple[str, int, tuple[str, ...]]]:
    """(symbol, axis, inputs that have it there): what to vary, one at a time."""
    wanted: dict[tuple[str, int], list[str]] = {}
    lengths = {a.shape[1] for a in inputs.values() if a.ndim == 2 and a.dtype.kind in "iu"}
    for name, array in inputs.items():
        if symbols and name in symbols:
            for axis, dim in enumerate(symbols[name]):
                if isinstance(dim, str):
                    wanted.setdefault((dim, axis), []).append(name)
            continue
        if array.ndim:
            wanted.setdefault((BATCH, 0), []).append(name)
        # a mask in another type goes along with the ids it masks
        if array.ndim == 2 and (array.dtype.kind in "iu" or (name in TEXT_ROLES and array.shape[1] in lengths)):
            wanted.setdefault((SEQUENCE, 1), []).append(name)
    return [(symbol, axis, tuple(names)) for (symbol, axis), names in wanted.items()]


def _resized(array: np.ndarray, axis: int) -> np.ndarray:
    """One longer along the batch, one shorter along any other axis (one longer where it is 1): same kinds of values."""
    size = array.shape[axis]
    count = size + 1 if axis == 0 or size == 1 else size - 1
    taken: np.ndarray = np.take(array, np.arange(count) % size, axis=axis)
    return taken


def _accepts(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return all(len(first[n][1]) == len(second[n][1]) for n in first)


def _mark(
    outputs: dict[str, list[Dim]],
    first: Mapping[str, tuple[str, tuple[int, ...]]],
    second: Mapping[str, tuple[str, tuple[int, ...]]],
    symbol: str,
    sizes: tuple[int, int],
) -> None:
    for name, (_, before) in first.items():
        after = second[name][1]
        for axis, (a, b) in enumerate(zip(before, after, strict=False)):
            if a != b:
                # a dimension that follows in another way (n + 1 tokens, n * heads) is open too, under its own name
                outputs[name][axis] = symbol if (a, b) == sizes else f"{name}_{axis}"


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"
