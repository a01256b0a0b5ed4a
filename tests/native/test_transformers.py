"""Transformers that nobody tuned the engine for: they are lowered, their attention is found, and they answer right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speedwell.native import Session, lower

from .lowered import reference
from .transformer_networks import FAMILIES, Family

pytestmark = pytest.mark.slow

SIZES = ((1, 20), (3, 17), (1, 1), (2, 32), (5, 3))
EXACT = 5e-6
"""Relative to the largest output: floats summed in another order."""
ROUNDED = 0.98
"""Least cosine of a dynamic form with each row by its own range to one with a range for the whole tensor."""


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_of_transformers(family: Family, tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = family.export(tmp_path)
    facts = lower(path, tmp_path / "plan")
    assert ("attention" in facts.operators) == family.fused
    session = Session(tmp_path / "plan", 2)
    for batch, length in SIZES:
        feeds = family.feeds(batch, length)
        (want,) = reference(path, feeds).values()
        (got,) = session.run(feeds).values()
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, atol=EXACT * np.abs(want).max(), rtol=0, err_msg=str((batch, length)))

    quantize_dynamic(path, tmp_path / "dynamic.onnx", per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
    facts = lower(tmp_path / "dynamic.onnx", tmp_path / "dynamic")
    assert facts.operators["gemm_int8"] > 3
    feeds = family.feeds(2, 32)
    (want,) = reference(tmp_path / "dynamic.onnx", feeds).values()
    (got,) = Session(tmp_path / "dynamic", 2).run(feeds).values()
    assert float((got * want).sum() / np.sqrt((got**2).sum() * (want**2).sum())) > ROUNDED
