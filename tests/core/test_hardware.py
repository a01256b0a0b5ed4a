import os
from dataclasses import replace

import pytest

from speedwell.core import Hardware, decode, encode
from speedwell.core import hardware as module

HERE = Hardware.here()


def test_the_facts_of_this_machine() -> None:
    assert 1 <= HERE.cores <= (os.cpu_count() or 1)
    assert HERE.memory_bytes > 1 << 28
    assert HERE.cpu
    assert HERE.versions["numpy"]
    assert set(HERE.flags) <= set(module.INTERESTING_FLAGS)


def test_a_record_of_it_comes_back_the_same() -> None:
    assert decode(Hardware, encode(HERE)) == HERE


@pytest.mark.parametrize(
    ("architecture", "flags", "words", "saturates"),
    [
        ("x86_64", ("avx2",), "AVX2 without VNNI", True),
        ("x86_64", ("avx2", "avx_vnni"), "AVX2 with VNNI", False),
        ("x86_64", ("avx2", "avx512f"), "AVX-512 without VNNI", True),
        ("x86_64", ("avx2", "avx512f", "avx512_vnni"), "AVX-512 with VNNI", False),
        ("aarch64", ("asimd", "asimddp"), "NEON with dot product", False),
        ("arm64", (), "NEON", False),
        ("riscv64", (), "riscv64", False),
    ],
)
def test_the_words_beside_a_speed_claim(architecture: str, flags: tuple[str, ...], words: str, saturates: bool) -> None:
    machine = replace(HERE, architecture=architecture, flags=flags)
    assert machine.isa == words
    assert machine.int8_saturates is saturates


def test_the_fingerprint_is_of_what_speed_depends_on() -> None:
    assert replace(HERE, python="3.99", governor="x", versions={}).fingerprint == HERE.fingerprint
    for change in ({"cpu": "another"}, {"cores": 99}, {"flags": ()}):
        assert replace(HERE, **change).fingerprint != HERE.fingerprint or not HERE.flags


@pytest.mark.parametrize(
    ("limit", "expected"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("", 8), ("nonsense", 8)]
)
def test_a_container_s_share_of_cores_counts(monkeypatch: pytest.MonkeyPatch, limit: str, expected: int) -> None:
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(module, "_read", lambda path: limit if path.endswith("cpu.max") else "")
    assert module._cores() == expected


def test_a_machine_that_tells_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_read", lambda _: "")
    silent = Hardware.here()
    assert silent.governor == "unknown"
    assert silent.flags == ()
    assert silent.cpu
