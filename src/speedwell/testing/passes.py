"""Conformance suite that a pass's author inherits.

    class TestMine(PassConformance):
        passes = (MyPass(), MyPass(strength=2))

Each pass runs once on each of ``networks``; every test asks that product. A pass that has no business with a network
raises ``PreconditionError``: name such networks in ``refuses``. No test depends on how fast anything is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ..core import Arrays, Context, Form, Hardware, Kind, Model, Pass, Step, Workload, path_digest, try_import
from ..core.errors import PreconditionError
from ..engines.openvino import shared_core
from ..passes import reference
from .pass_models import NETWORKS, Network

__all__ = ["Case", "PassConformance", "answers", "case_of", "context_for"]

SEQUENCE = 12
CALIBRATION = 24
REFUSED = "test_network_it_has_no_business_with_is_refused"
CAPABLE = dataclasses.replace(Hardware.here(), flags=("avx2", "avx512f", "avx512_vnni", "avx512_bf16"))
"""A processor on which every pass applies, whatever this one is."""


@dataclass(frozen=True, eq=False)
class Case:
    """A pass, a network in the form that it takes, and what the pass made of it."""

    apply: Pass
    network: Network
    before: Model
    before_digest: str
    after: Model
    context: Context

    def inputs(self, batch: int = 2, sequence: int = SEQUENCE, seed: int = 100) -> dict[str, np.ndarray]:
        return self.network.inputs(batch, sequence, seed)


def context_for(network: Network, scratch: Path, hardware: Hardware = CAPABLE) -> Context:
    """Calibration samples one by one, as a workload of batch 1 hands them over."""
    shapes = {n: tuple(a.shape) for n, a in network.inputs(1, SEQUENCE, 0).items()}

    def calibration() -> Iterator[Arrays]:
        return (network.inputs(1, SEQUENCE, seed) for seed in range(CALIBRATION))

    return Context(calibration, reference.run, Workload(1, min(2, hardware.cores), shapes), hardware, scratch)


def case_of(apply: Pass, network: Network, scratch: Path) -> Case:
    """Make the model and run the pass."""
    before = network.make(apply.takes.form, scratch / "before")
    context = context_for(network, scratch / "after")
    return Case(apply, network, before, before.digest, apply(before, context), context)


def answers(engine: str, model: Model, inputs: Arrays) -> dict[str, np.ndarray]:
    """Outputs of an ONNX form in "onnxruntime" (all optimizations) or "openvino" (float32 where it is float)."""
    names = list(model.signature.output_names)
    feed = {n: inputs[n] for n in model.signature.input_names}
    if engine == "onnxruntime":
        run = try_import("onnxruntime").InferenceSession(str(model.payload), providers=["CPUExecutionProvider"])
        return dict(zip(names, run.run(names, feed), strict=True))
    made = shared_core().compile_model(str(model.payload), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = made(feed)
    return {name: np.array(found[name]) for name in names}


class PassConformance:
    """What ``core.Pass`` promises, and that both ONNX engines read the product and agree with the reference.

    ``sqnr_db``: least agreement of an engine with the unoptimized reference of the same product. Integers rounded in
    another order differ by a step here and there.
    """

    passes: ClassVar[Sequence[Pass]]
    networks: ClassVar[Sequence[Network]] = NETWORKS
    refuses: ClassVar[frozenset[str]] = frozenset()
    sqnr_db: ClassVar[float] = 22.0

    def __init_subclass__(cls, **more: Any) -> None:
        """A suite that refuses nothing has no test of it: pytest would show it as skipped, as if something lacked."""
        super().__init_subclass__(**more)
        if not cls.refuses:
            setattr(cls, REFUSED, None)

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        """One case for each pass and network."""
        if "case" in metafunc.fixturenames:
            pairs = [(p, n) for p in cls.passes for n in cls.networks if n.name not in cls.refuses]
            metafunc.parametrize("case", pairs, ids=[f"{p.step.label}-{n.name}" for p, n in pairs], indirect=True,
                                 scope="class")  # fmt: skip
        if "refused" in metafunc.fixturenames:
            refused = [(p, n) for p in cls.passes for n in cls.networks if n.name in cls.refuses]
            metafunc.parametrize("refused", refused, ids=[f"{p.step.label}-{n.name}" for p, n in refused])

    @pytest.fixture(scope="class")
    @classmethod
    def case(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
        apply, network = request.param
        yield case_of(apply, network, tmp_path_factory.mktemp(f"{apply.name}-{network.name}"))
        reference.forget()

    def test_step_rebuilds_the_pass(self) -> None:
        for apply in self.passes:
            assert apply.step.name == type(apply).name
            assert type(apply)(**apply.step.params) == apply

    def test_model_before_is_untouched(self, case: Case) -> None:
        assert path_digest(case.before.payload) == case.before_digest

    def test_digest_is_that_of_the_payload(self, case: Case) -> None:
        assert case.after.digest == path_digest(case.after.payload)

    def test_product_is_of_the_kind_it_gives(self, case: Case) -> None:
        gives = case.apply.gives
        assert not Kind(gives.form, gives.needs, gives.forbids).refusal(case.after.form, case.after.traits)
        assert case.after.signature == case.before.signature

    def test_product_lies_in_scratch_or_is_the_same_payload(self, case: Case) -> None:
        inside = case.after.payload.is_relative_to(case.context.scratch)
        assert inside or case.after.payload == case.before.payload

    def test_any_batch_and_length_is_answered(self, case: Case) -> None:
        for batch, sequence in ((1, SEQUENCE), (3, SEQUENCE - 3)):
            inputs = case.inputs(batch, sequence)
            want, got = reference.run(case.before, inputs), reference.run(case.after, inputs)
            assert {n: (a.shape, a.dtype) for n, a in got.items()} == {n: (a.shape, a.dtype) for n, a in want.items()}
            if case.apply.lossless:
                for name, array in want.items():
                    bound = 1e-4 * float(np.abs(array).max()) + 1e-6
                    np.testing.assert_allclose(got[name], array, rtol=0, atol=bound)

    def test_same_input_gives_the_same_product(self, case: Case, tmp_path: Path) -> None:
        again = case.apply(case.before, context_for(case.network, tmp_path))
        assert again.digest == case.after.digest

    def test_file_says_nothing_of_this_machine(self, case: Case) -> None:
        if case.after.form == "onnx" and case.after.payload != case.before.payload:
            content = case.after.payload.read_bytes()
            for place in (Path.home(), Path(__file__).parents[2], case.context.scratch):
                assert str(place).encode() not in content or str(place) == "/"

    def test_uses_standard_operators_only(self, case: Case) -> None:
        if case.after.form == "onnx":
            onnx = try_import("onnx")
            graph = onnx.load(case.after.payload)
            assert {o.domain for o in graph.opset_import if o.domain} == set()
            assert {n.domain for n in graph.graph.node} <= {"", "ai.onnx"}
            onnx.checker.check_model(graph, full_check=True)

    @pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
    def test_engine_agrees_with_the_reference(self, case: Case, engine: str) -> None:
        if case.after.form == "onnx":
            inputs = case.inputs()
            want, got = reference.run(case.after, inputs), answers(engine, case.after, inputs)
            for name, array in want.items():
                noise = float(np.square(array.astype(np.float64) - got[name]).sum())
                signal = float(np.square(array.astype(np.float64)).sum())
                assert 10 * np.log10(signal / max(noise, 1e-30)) > self.sqnr_db

    def test_choices_are_steps_of_this_pass(self, case: Case) -> None:
        steps: tuple[Step, ...] = type(case.apply).choices(case.before, CAPABLE)
        assert steps
        for step in steps:
            assert step.name == case.apply.name
            assert type(case.apply)(**step.params).step == step

    def test_engine_settings_are_parameters_of_this_pass(self) -> None:
        for apply in self.passes:
            assert set(type(apply).engine_settings) <= {field.name for field in dataclasses.fields(apply)}

    def test_wrong_form_is_refused(self, case: Case) -> None:
        other: Mapping[Form, Form] = {"torch": "onnx", "onnx": "torch"}
        wrong = dataclasses.replace(case.before, form=other[case.before.form])
        with pytest.raises(PreconditionError):
            case.apply(wrong, case.context)

    def test_network_it_has_no_business_with_is_refused(self, refused: tuple[Pass, Network], tmp_path: Path) -> None:
        apply, network = refused
        model = network.make(apply.takes.form, tmp_path / "before")
        with pytest.raises(PreconditionError):
            apply(model, context_for(network, tmp_path / "after"))
