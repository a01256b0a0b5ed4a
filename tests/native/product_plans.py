"""A product as a plan of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speedwell.native import Session, write_plan

UNIT = {"scale": 1.0, "zero": 0, "low": 0, "high": 255}


def product(
    folder: Path, a: np.ndarray, weight: np.ndarray, kind: str = "gemm_int8", scale=None, bias=None, residual=None,
    runs=None, isa: str = "", threads: int = 1, **attributes
) -> np.ndarray:  # fmt: skip
    """One product as a plan of its own, run."""
    tensors = {"w": weight}
    constants = [{"value": 1, "tensor": "w"}]
    operands, values = [0, 1], 2
    inputs = [{"name": "a", "value": 0, "dtype": str(a.dtype), "shape": list(a.shape)}]
    arrays = [a]

    def constant(name: str, value: np.ndarray | None) -> None:
        nonlocal values
        if value is None:
            operands.append(-1)
            return
        tensors[name] = value
        constants.append({"value": values, "tensor": name})
        operands.append(values)
        values += 1

    if kind == "gemm_int8":
        constant("s", np.ones(len(weight), np.float32) if scale is None else scale)
    constant("b", bias)
    if residual is not None:
        inputs.append({"name": "r", "value": values, "dtype": "float32", "shape": list(residual.shape)})
        arrays.append(residual)
        operands.append(values)
        values += 1
    if runs is not None:
        operands += [-1] * (5 - len(operands))
        constant("order", runs.order)
        constant("runs", runs.lengths)
    plan = {
        "format": "speedwell-plan", "version": 1, "values": values + 1, "inputs": inputs,
        "outputs": [{"name": "y", "value": values}], "constants": constants,
        "operators": [
            {"kind": kind, "name": "product", "inputs": operands, "outputs": [values], "attributes": attributes}
        ],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_plan(folder, plan, tensors)
    return Session(folder, threads=threads, isa=isa).run(arrays)[0]


def sums(a: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return a.astype(np.int64) @ weight.astype(np.int64).T


def assert_levels(got: np.ndarray, real: np.ndarray, out: dict[str, float]) -> None:
    """``got`` is ``real`` in the levels of ``out``; a value beside a tie may round to either side in float32."""
    assert got.dtype == np.uint8
    want = np.clip(np.rint(real / out["scale"]) + out["zero"], out["low"], out["high"])
    assert np.abs(got.astype(int) - want).max() <= 1
    assert (got == want).mean() > 0.99
