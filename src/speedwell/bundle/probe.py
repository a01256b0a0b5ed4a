"""Generated inputs with the outputs they gave, so that a bundle can check itself on another machine."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from speedwell.core import Signature
from speedwell.core.errors import BundleVerificationError

__all__ = ["MAX_PROBE_BYTES", "Probe", "generate_inputs"]

MAX_PROBE_BYTES = 256 << 20


@dataclass(frozen=True, eq=False)
class Probe:
    """``inputs`` (made by ``generate_inputs(seed=seed)``, or given by the caller) and ``outputs``, by name.

    ``tolerance``: the largest ``difference`` that still counts as the same answer; who made the probe chose it.
    """

    seed: int
    inputs: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]
    tolerance: float

    def differences(self, outputs: Mapping[str, np.ndarray]) -> dict[str, float]:
        """By output: the largest difference, relative to the spread (standard deviation) of the expected output.

        Infinite where an output is missing, misshapen or not finite. 0 means bit-equal.
        """
        return {name: _difference(expected, outputs.get(name)) for name, expected in self.outputs.items()}

    def passes(self, outputs: Mapping[str, np.ndarray]) -> bool:
        """True where every difference is within the tolerance."""
        return all(d <= self.tolerance for d in self.differences(outputs).values())

    def pack(self) -> bytes:
        """npz bytes that ``unpack`` reads."""
        arrays = {f"in/{n}": a for n, a in self.inputs.items()} | {f"out/{n}": a for n, a in self.outputs.items()}
        buffer = io.BytesIO()
        save_arrays(buffer, {**arrays, "seed": np.array(self.seed), "tolerance": np.array(self.tolerance)})
        return buffer.getvalue()

    @staticmethod
    def unpack(data: bytes) -> Probe:
        """Raises ``BundleVerificationError`` where ``data`` is no probe, or would grow too large."""
        arrays = load_arrays(data, "probe.npz")
        try:
            return Probe(
                int(arrays["seed"]),
                {n.removeprefix("in/"): a for n, a in arrays.items() if n.startswith("in/")},
                {n.removeprefix("out/"): a for n, a in arrays.items() if n.startswith("out/")},
                float(arrays["tolerance"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleVerificationError(f"probe.npz holds no probe: {error}") from error


def generate_inputs(
    signature: Signature,
    symbols: Mapping[str, int],
    seed: int,
    ranges: Mapping[str, tuple[int, int]] | None = None,
) -> dict[str, np.ndarray]:
    """Inputs of every tensor of ``signature``: floats from the standard normal distribution, integers from
    ``ranges[name]`` (low included, high not; default 0 and 1, which every embedding and mask takes), truth values
    at random. ``symbols`` binds the symbolic dimensions; equal arguments give equal arrays.
    """
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}
    for spec in signature.inputs:
        shape, dtype = spec.bind(symbols), np.dtype(spec.dtype)
        if dtype.kind == "f":
            made[spec.name] = rng.standard_normal(shape).astype(dtype)
        elif dtype.kind == "b":
            made[spec.name] = rng.integers(0, 2, shape).astype(dtype)
        else:
            low, high = (ranges or {}).get(spec.name, (0, 2))
            made[spec.name] = rng.integers(low, high, shape).astype(dtype)
    return made


def save_arrays(buffer: io.BytesIO, arrays: Mapping[str, np.ndarray]) -> None:
    """A compressed npz without pickles; equal arrays give equal bytes."""
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            inner = io.BytesIO()
            np.lib.format.write_array(
                inner, np.ascontiguousarray(arrays[name]).reshape(arrays[name].shape), allow_pickle=False
            )
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), inner.getvalue(), zipfile.ZIP_DEFLATED)


def load_arrays(data: bytes, name: str) -> dict[str, np.ndarray]:
    """The arrays of an npz. Raises ``BundleVerificationError`` where it is none, or unpacks to over 256 MB."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(i.file_size for i in archive.infolist())
        if size > MAX_PROBE_BYTES:
            raise BundleVerificationError(f"{name} unpacks to {size:,} bytes; at most {MAX_PROBE_BYTES:,} are read")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {n: arrays[n] for n in arrays.files}
    except (zipfile.BadZipFile, ValueError, KeyError, OSError, EOFError, NotImplementedError, SyntaxError) as error:
        raise BundleVerificationError(f"{name} cannot be read: {error}") from error


def _difference(expected: np.ndarray, got: np.ndarray | None) -> float:
    if got is None or got.shape != expected.shape or not np.all(np.isfinite(got)):
        return float("inf")
    if np.array_equal(expected, got):
        return 0.0
    wide = expected.astype(np.float64)
    scale = float(wide.std()) or float(np.abs(wide).max()) or 1.0
    return float(np.abs(got.astype(np.float64) - wide).max()) / scale
