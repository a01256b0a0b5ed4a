from __future__ import annotations

from dataclasses import replace

import pytest

from speedwell.core import Hardware
from speedwell.engines.precision import asked, machine, no_bf16


@pytest.mark.parametrize(
    ("traits", "name"),
    [
        ({"float"}, "float32"),
        ({"float", "fused"}, "float32"),
        ({"float", "bf16"}, "bf16"),
        ({"f16"}, "f16"),
        ({"static-int8"}, "int8"),
        ({"dynamic-int8"}, "int8"),
        ({"w4"}, "int4"),
    ],
)
def test_traits_ask_for_a_precision(traits: set[str], name: str) -> None:
    assert asked(frozenset(traits)) == name


def test_bf16_is_refused_where_the_hardware_lacks_it() -> None:
    plain = replace(Hardware.here(), flags=("avx2", "fma"), architecture="x86_64")
    assert "avx512_bf16" in no_bf16(plain)
    assert "AVX2 without VNNI" in no_bf16(plain)
    assert no_bf16(replace(plain, flags=("avx512_bf16",))) == ""


def test_the_machine_is_read_once() -> None:
    assert machine() is machine()
