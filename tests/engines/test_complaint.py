from __future__ import annotations

import pytest

from speedwell.core.errors import EngineError
from speedwell.engines.complaint import complaint, words

OPENVINO = """Exception from src/inference/src/cpp/core.cpp:93:
Check 'error_message.empty()' failed at src/frontends/onnx/frontend/src/frontend.cpp:393:
FrontEnd API failed with GeneralFailure:
Errors during ONNX translation:
Operator 'NoSuch' is not supported
more
fourth
"""


def test_words_are_the_first_lines_that_say_something() -> None:
    assert words(RuntimeError(OPENVINO)) == (
        "Errors during ONNX translation:; Operator 'NoSuch' is not supported; more"
    )


def test_an_error_without_words_is_named_by_its_class() -> None:
    assert words(ZeroDivisionError()) == "ZeroDivisionError"


def test_long_words_are_cut() -> None:
    assert len(words(RuntimeError("x" * 5000))) == 600


def test_a_complaint_says_which_engine_and_what_it_was_doing() -> None:
    error = complaint("openvino", "compile", RuntimeError("no kernel"), "Try another.")
    assert isinstance(error, EngineError)
    assert str(error) == "openvino cannot compile: no kernel\nTry another."


@pytest.mark.parametrize(
    "error",
    [MemoryError("gone"), RuntimeError("std::bad_alloc"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_no_memory_stays_a_memory_error(error: Exception) -> None:
    assert isinstance(complaint("eager", "run", error), MemoryError)
