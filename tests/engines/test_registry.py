from __future__ import annotations

import subprocess
import sys

import pytest

from speedwell.core import Engine, Hardware
from speedwell.core.errors import UnknownNameError
from speedwell.engines import REGISTRY


def test_the_built_in_engines_come_in_order() -> None:
    assert REGISTRY.names()[:5] == ("eager", "inductor", "onnxruntime", "openvino", "native")


def test_each_engine_has_the_name_it_is_registered_under() -> None:
    for name in REGISTRY.names():
        engine = REGISTRY.get(name)
        assert isinstance(engine, Engine)
        assert engine.name == name


def test_an_unknown_engine_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="openvino"):
        REGISTRY.get("tensorrt")


def test_looking_at_every_engine_imports_none_of_their_libraries() -> None:
    code = (
        "import sys; from speedwell.core import Hardware; from speedwell.engines import REGISTRY\n"
        "here = Hardware.here()\n"
        "for e in REGISTRY: assert e.availability(here) is not None; e.reads('onnx', frozenset({'bf16'}))\n"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'openvino', 'tokenizers') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


def test_availability_answers_on_a_machine_like_no_other() -> None:
    strange = Hardware("", "", 0, 0, (), "", "", "")
    for engine in REGISTRY:
        answer = engine.availability(strange)
        assert answer.ok or answer.why_not
