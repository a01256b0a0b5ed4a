from __future__ import annotations

import subprocess
import sys

import pytest

from speedwell import passes
from speedwell.core import Step
from speedwell.core.errors import UnknownNameError, UsageError


def test_every_public_name_is_there():
    assert all(hasattr(passes, name) for name in passes.__all__)


def test_registry_lists_the_built_in_passes_in_order():
    names = ("to_onnx", "fuse", "quantize_static", "quantize_dynamic", "half", "half_torch")
    assert passes.REGISTRY.names()[: len(names)] == names


@pytest.mark.parametrize("made", [p() for p in passes.BUILTINS] + [passes.QuantizeStatic("minmax", 99.9, 3, 7)])
def test_build_is_the_inverse_of_step(made):
    assert passes.build(made.step) == made


def test_unknown_pass_names_those_there_are():
    with pytest.raises(UnknownNameError, match="quantize_static"):
        passes.build(Step("quantise"))


def test_unknown_parameter_is_named():
    with pytest.raises(UsageError, match="no parameter 'bits'") as caught:
        passes.build(Step("quantize_static", {"bits": 4}))
    assert "weight_bits" in caught.value.fix


@pytest.mark.parametrize("params", [{"method": 3}, {"keep_float": "2"}, {"keep_float": True}, {"keep_float": 1.5}])
def test_parameter_of_another_type_is_a_usage_error(params):
    with pytest.raises(UsageError, match=next(iter(params))):
        passes.build(Step("quantize_static", params))


def test_importing_the_room_imports_no_heavy_library():
    code = """import sys, speedwell.passes
heavy = {"torch", "onnx", "onnx_ir", "onnxscript", "onnxruntime", "openvino"} & set(sys.modules)
sys.exit(", ".join(sorted(heavy)) or 0)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
