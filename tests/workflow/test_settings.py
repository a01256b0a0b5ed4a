from dataclasses import replace
from typing import Any

import pytest

from speedwell.core import Hardware, decode, encode
from speedwell.core.errors import UsageError
from speedwell.workflow.settings import Settings

HERE = Hardware.here()
GOOD = Settings("m.onnx", data="d")


def test_threads_are_filled_in() -> None:
    assert GOOD.checked(HERE).threads == HERE.cores
    assert replace(GOOD, threads=1).checked(HERE).threads == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch": 0}, "--batch is 0"),
        ({"batch": 5000}, "1 to 1024"),
        ({"threads": 9999}, "--threads is 9999"),
        ({"threads": -1}, "--threads is -1"),
        ({"rounds": 3}, "--rounds is 3"),
        ({"calls": 2}, "--calls is 2"),
        ({"max_drop": "1%", "agree": "99%"}, "--max-drop and --agree"),
        ({"agree": "99%", "data": None}, "--agree needs data"),
        ({"confirmation": "c", "data": None}, "--confirmation without --data"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_to_give(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as error:
        replace(GOOD, **change).checked(HERE)
    assert words in str(error.value)
    assert error.value.fix


def test_settings_come_back_from_the_run_s_file() -> None:
    settings = replace(GOOD, engines=("openvino",), options={"size": [8, 8], "mean": [0.5]})
    assert decode(Settings, encode(settings)) == settings
