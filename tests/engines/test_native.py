from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import speedwell.native as native_room
from speedwell import __version__
from speedwell.core import Hardware, Keeps, Model
from speedwell.core.errors import EngineError, EngineUnavailableError, OutputError, UnsupportedError
from speedwell.engines import Native, reference_session
from speedwell.native import available, find_plan, keep_plan, kept_plan, supported_isas
from speedwell.testing.engine_models import NETWORKS, QUANTIZED, static_int8
from speedwell.testing.engines import EngineConformance, QuantizedConformance, workload

IMAGES, TEXTS = NETWORKS
BUILT, WHY_NOT = available()
LACKS = frozenset({"convolution"})

if BUILT:

    class TestConformance(EngineConformance):
        engine = Native()
        lacks = LACKS

    class TestQuantizedGraphs(QuantizedConformance):
        engine = Native()
        lacks = LACKS | {"mobile"}

    def test_a_session_starts_exactly_the_threads_it_was_given(tmp_path: Path) -> None:
        model = TEXTS.make("onnx", tmp_path)
        for threads in (1, 2, 3):
            before = len(os.listdir("/proc/self/task"))
            session = Native().compile(model, workload(TEXTS, threads=threads), tmp_path)
            session.run(TEXTS.inputs(1, 5, 0))
            assert len(os.listdir("/proc/self/task")) - before == threads - 1  # the caller's own thread is one of them
            session.close()
            assert len(os.listdir("/proc/self/task")) == before

    def test_nothing_is_left_in_scratch(tmp_path: Path) -> None:
        (scratch := tmp_path / "scratch").mkdir()
        session = Native().compile(static_int8(TEXTS, tmp_path), workload(TEXTS), scratch)
        session.profile(TEXTS.inputs(1, 5, 0), 2)
        assert list(scratch.iterdir()) == []

    def test_what_it_lowered_is_kept_beside_the_payload_where_that_is_allowed_and_used(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (scratch := tmp_path / "scratch").mkdir()
        model, inputs = static_int8(TEXTS, tmp_path), TEXTS.inputs(2, 6, 0)
        plain = Native().compile(model, workload(TEXTS), scratch)
        assert not kept_plan.kept_beside(model.payload).exists()
        engine = Native().keeping()
        assert isinstance(engine, Keeps)
        first = engine.compile(model, workload(TEXTS), scratch)
        plan = find_plan(model.payload)
        assert plan is not None

        def not_again(*_: object) -> None:
            raise AssertionError("it was lowered again")

        monkeypatch.setattr(kept_plan, "lower", not_again)
        for again in (
            engine.compile(model, workload(TEXTS), scratch),
            Native().compile(model, workload(TEXTS), scratch),
        ):
            for name, array in plain.run(inputs).items():
                np.testing.assert_array_equal(again.run(inputs)[name], array)
            assert again.facts() == plain.facts() | {"arena": again.facts()["arena"]}
        assert first.facts()["int8 layers"] == plain.facts()["int8 layers"]
        assert list(scratch.iterdir()) == []

    @pytest.mark.parametrize("keeps", [False, True])
    def test_a_kept_plan_that_the_executor_does_not_take_is_lowered_anew(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeps: bool
    ) -> None:
        model, inputs = TEXTS.make("onnx", tmp_path), TEXTS.inputs(1, 5, 0)
        strange = tmp_path / "strange"
        keep_plan(model.payload).rename(strange)
        text = (strange / "plan.json").read_text()
        (strange / "plan.json").write_text(text.replace('"kind":"layer_norm"', '"kind":"layer_norm_2"'))
        for name in ("find_plan", "keep_plan"):
            monkeypatch.setattr(native_room, name, lambda *_: strange, raising=False)
        engine = Native().keeping() if keeps else Native()
        got = engine.compile(model, workload(TEXTS), tmp_path).run(inputs)
        monkeypatch.undo()
        want = Native().compile(model, workload(TEXTS), tmp_path).run(inputs)
        np.testing.assert_array_equal(got["states"], want["states"])

    def test_where_nothing_can_be_kept_it_is_lowered_in_scratch(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OutputError("the disk is full")

        monkeypatch.setattr(native_room, "keep_plan", full, raising=False)
        session = Native().keeping().compile(TEXTS.make("onnx", tmp_path), workload(TEXTS), tmp_path)
        assert set(session.run(TEXTS.inputs(1, 5, 0))) >= {"states"}

    def test_facts_name_the_instruction_set_and_the_memory(tmp_path: Path) -> None:
        session = Native().compile(TEXTS.make("onnx", tmp_path), workload(TEXTS), tmp_path)
        small = session.run(TEXTS.inputs(1, 3, 0)), session.facts()
        large = session.run(TEXTS.inputs(4, 60, 0)), session.facts()
        assert small[1]["isa"] == supported_isas()[0]
        assert small[1]["weights"] == large[1]["weights"]
        arenas = [int(facts["arena"].removesuffix(" bytes").replace(",", "")) for _, facts in (small, large)]
        assert 0 < arenas[0] < arenas[1]

    def test_weights_of_4_bits_run_as_onnx_runtime_runs_them(tmp_path: Path) -> None:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        source, path = TEXTS.make("onnx", tmp_path), tmp_path / "w4.onnx"
        quantizer = MatMulNBitsQuantizer(str(source.payload), block_size=32, is_symmetric=False)
        quantizer.process()
        quantizer.model.save_model_to_file(str(path))
        model = Model.of("onnx", path, TEXTS.signature, source.origin, ["w4"])
        session = Native().compile(model, workload(TEXTS), tmp_path)
        want = reference_session(model, 1)
        assert session.facts()["int4 layers"] == "3 of 6"  # a Gemm and two products of activations stay in float
        for seed in range(3):
            inputs = TEXTS.inputs(2, 9, seed)
            np.testing.assert_allclose(session.run(inputs)["states"], want.run(inputs)["states"], rtol=0, atol=0.1)

    def test_what_it_lacks_is_said_in_a_class_of_its_own(tmp_path: Path) -> None:
        with pytest.raises(UnsupportedError, match=r"^unsupported: Conv"):
            Native().compile(IMAGES.make("onnx", tmp_path), workload(IMAGES), tmp_path)
        assert list(tmp_path.iterdir()) == [tmp_path / "convolution.onnx"]

    def test_names_that_are_not_the_signature_s_are_refused(tmp_path: Path) -> None:
        model, other = TEXTS.make("onnx", tmp_path), IMAGES.signature
        strange = Model.of("onnx", model.payload, other, model.origin)
        with pytest.raises(EngineError, match="the signature says"):
            Native().compile(strange, workload(IMAGES), tmp_path)

else:

    def test_what_is_missing_is_said_with_the_fix(tmp_path: Path) -> None:
        answer = Native().availability(Hardware.here())
        assert not answer.ok
        assert "make native" in answer.why_not
        with pytest.raises(EngineUnavailableError):
            Native().compile(TEXTS.make("onnx", tmp_path), workload(TEXTS), tmp_path)


def test_it_is_built_where_it_must_be() -> None:
    assert BUILT or not os.environ.get("SPEEDWELL_REQUIRE_NATIVE"), WHY_NOT


def test_it_has_the_package_s_version() -> None:
    assert Native().availability(Hardware.here()).version == (__version__ if BUILT else "")


@pytest.mark.parametrize(("trait", "word"), [("bf16", "bfloat16"), ("f16", "float16")])
def test_formats_that_it_does_not_compute_in_are_refused_with_the_reason(trait: str, word: str) -> None:
    assert word in Native().reads("onnx", frozenset({"float", trait}))


def test_it_reads_every_quantized_form_and_no_torch() -> None:
    for _, quantize in QUANTIZED:
        assert Native().reads("onnx", frozenset({quantize.__name__.replace("_", "-")})) == ""
    assert Native().reads("onnx", frozenset({"w4"})) == ""
    assert "to_onnx" in Native().reads("torch", frozenset({"float"}))


def test_without_the_extension_every_engine_is_still_looked_at() -> None:
    """A package that was installed without a compiler: the compiled module is hidden from a fresh Python."""
    code = (
        "import sys; sys.modules['speedwell.native._engine'] = None\n"
        "from speedwell import doctor\n"
        "from speedwell.core import Hardware\n"
        "from speedwell.engines import REGISTRY\n"
        "row = {r.name: r for r in doctor().engines}['native']\n"
        "assert not row.ok and row.why_not, row\n"
        "assert all(e.availability(Hardware.here()) for e in REGISTRY)\n"
        "print(doctor().text)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert "Native     not built: pip install . again" in done.stdout or "apt-get install g++" in done.stdout


def test_its_outputs_are_the_reference_s_to_rounding(tmp_path: Path) -> None:
    """Not only within the suite's bound: the reference is computed node by node, in float32 too."""
    if BUILT:
        model, inputs = TEXTS.make("onnx", tmp_path), TEXTS.inputs(3, 17, 1)
        got = Native().compile(model, workload(TEXTS), tmp_path).run(inputs)
        want = reference_session(model, 1).run(inputs)
        np.testing.assert_allclose(got["states"], want["states"], rtol=0, atol=2e-6)
