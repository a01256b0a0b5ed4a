"""Conformance suites that an engine's author inherits.

    class TestMine(EngineConformance):
        engine = MyEngine()

``QuantizedConformance`` is for engines that read the two quantized ONNX forms. Each network is compiled once, for
batch 1 and 2 threads, and every test asks that session. No test depends on how fast anything is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ..core import Arrays, Engine, Form, Hardware, Model, Session, Workload
from ..core.errors import EngineError, InputMismatchError, SpeedwellError
from ..engines import reference_session
from .engine_models import NETWORKS, QUANTIZED, Network, static_int8

__all__ = ["Case", "EngineConformance", "QuantizedConformance"]

Pair = tuple[Network, Callable[[Network, Path], Model]]
SEQUENCE = 9
THREADS = min(2, Hardware.here().cores)


@dataclass(frozen=True, eq=False)
class Case:
    """A network, its model in a form that the engine reads, its session, and the unoptimized reference's session."""

    network: Network
    model: Model
    session: Session
    reference: Session

    def inputs(self, batch: int = 1, sequence: int = SEQUENCE, seed: int = 0) -> dict[str, np.ndarray]:
        return self.network.inputs(batch, sequence, seed)


def form_for(engine: Engine) -> Form:
    """The form that the suite gives the engine: onnx where it reads both."""
    return "torch" if engine.reads("onnx", frozenset({"float"})) else "onnx"


def workload(network: Network, batch: int = 1, threads: int = THREADS) -> Workload:
    """What the suite compiles for."""
    shapes = {n: tuple(a.shape) for n, a in network.inputs(batch, SEQUENCE, 0).items()}
    return Workload(batch, threads, shapes)


def assert_close(got: Arrays, want: Arrays, relative: float) -> None:
    """Every output within ``relative`` of the reference's largest value; integers equal."""
    assert list(got) == list(want)
    for name, array in want.items():
        assert got[name].dtype == array.dtype
        assert got[name].shape == array.shape
        if array.dtype.kind == "f":
            bound = relative * max(1.0, float(np.abs(array).max()))
            np.testing.assert_allclose(got[name], array, rtol=0, atol=bound, err_msg=name)
        else:
            np.testing.assert_array_equal(got[name], array, err_msg=name)


class EngineConformance:
    """What ``core.Engine`` and ``core.Session`` promise. ``relative``: how far float32 answers may lie apart.

    ``lacks``: networks (by name) with operators that the engine does not have; it must say so.
    """

    engine: ClassVar[Engine]
    relative: ClassVar[float] = 1e-4
    lacks: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        if "case" in metafunc.fixturenames:
            networks = [n for n in NETWORKS if n.name not in cls.lacks]
            metafunc.parametrize("case", networks, indirect=True, scope="class", ids=lambda n: n.name)

    @pytest.fixture(scope="class")
    @classmethod
    def case(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
        network: Network = request.param
        folder = tmp_path_factory.mktemp(network.name)
        oracle = network.make("onnx", folder)
        model = oracle if form_for(cls.engine) == "onnx" else network.make("torch", folder)
        # one scratch for all, so that a compiler that keeps what it can reuse does so
        session = cls.engine.compile(model, workload(network), tmp_path_factory.getbasetemp() / "scratch")
        case = Case(network, model, session, reference_session(oracle, 1))
        yield case
        case.session.close()
        case.reference.close()

    def test_it_is_an_engine_and_says_whether_it_runs_here(self) -> None:
        assert isinstance(self.engine, Engine)
        available = self.engine.availability(Hardware.here())
        assert available.ok
        assert available.version
        strange = Hardware("", "pdp11", 1, 0, (), "", "", "")
        elsewhere = self.engine.availability(strange)
        assert elsewhere.ok or elsewhere.why_not

    def test_what_it_lacks_is_unsupported_by_name(self, tmp_path: Path) -> None:
        lacking = [n for n in NETWORKS if n.name in self.lacks]
        assert len(lacking) == len(self.lacks)
        for network in lacking:
            with pytest.raises(EngineError, match=r"^unsupported: \w+"):
                self.engine.compile(network.make(form_for(self.engine), tmp_path), workload(network), tmp_path)

    def test_it_says_why_it_does_not_read_a_model(self, case: Case, tmp_path: Path) -> None:
        assert self.engine.reads(case.model.form, case.model.traits) == ""
        forms: tuple[Form, ...] = ("onnx", "torch")
        for form in forms:
            if self.engine.reads(form, frozenset({"float"})):
                other = case.network.make(form, tmp_path)
                with pytest.raises(EngineError, match=form):
                    self.engine.compile(other, workload(case.network), tmp_path)

    @pytest.mark.parametrize("batch", [1, 3, 8])
    def test_answers_are_the_reference_s_at_any_batch(self, case: Case, batch: int) -> None:
        inputs = case.inputs(batch, seed=batch)
        assert_close(case.session.run(inputs), case.reference.run(inputs), self.relative)

    @pytest.mark.parametrize("sequence", [4, SEQUENCE, 23])
    def test_answers_are_the_reference_s_at_any_sequence(self, case: Case, sequence: int) -> None:
        inputs = case.inputs(1, sequence, seed=sequence)
        assert_close(case.session.run(inputs), case.reference.run(inputs), self.relative)

    def test_outputs_come_in_the_signature_s_order(self, case: Case) -> None:
        got = case.session.run(case.inputs())
        assert tuple(got) == case.model.signature.output_names
        assert [str(a.dtype) for a in got.values()] == [t.dtype for t in case.model.signature.outputs]

    def test_outputs_belong_to_the_caller(self, case: Case) -> None:
        first = case.session.run(case.inputs(seed=1))
        kept = {n: a.copy() for n, a in first.items()}
        case.session.run(case.inputs(seed=2))
        for name, array in kept.items():
            np.testing.assert_array_equal(first[name], array)
            first[name][...] = 7
        again = case.session.run(case.inputs(seed=1))
        for name, array in kept.items():
            np.testing.assert_array_equal(again[name], array)

    def test_the_same_inputs_give_the_same_bits(self, case: Case) -> None:
        first, second = case.session.run(case.inputs(seed=3)), case.session.run(case.inputs(seed=3))
        for name, array in first.items():
            assert array.tobytes() == second[name].tobytes()

    def test_inputs_are_left_as_they_were(self, case: Case) -> None:
        inputs = case.inputs(seed=4)
        kept = {n: a.copy() for n, a in inputs.items()}
        case.session.run(inputs)
        for name, array in kept.items():
            np.testing.assert_array_equal(inputs[name], array)

    def test_strided_and_read_only_inputs_are_read_right(self, case: Case) -> None:
        inputs = case.inputs(2, seed=5)
        want = case.session.run(inputs)
        strided = {n: np.repeat(a, 2, axis=-1)[..., ::2] for n, a in inputs.items()}
        backwards = {n: a[..., ::-1].copy()[..., ::-1] for n, a in inputs.items()}
        turned = {n: np.asfortranarray(a) for n, a in inputs.items()}
        read_only = {n: a.copy() for n, a in inputs.items()}
        for array in read_only.values():
            array.setflags(write=False)
        for other in (strided, backwards, turned, read_only):
            assert_close(case.session.run(other), want, 1e-6)

    def test_wrong_inputs_are_named_and_the_session_lives_on(self, case: Case) -> None:
        inputs = case.inputs()
        name, array = next(iter(inputs.items()))
        rest = {n: a for n, a in inputs.items() if n != name}
        wrong: tuple[Arrays, ...] = (
            rest | {"no_such_input": array},
            rest | {name: array.astype(np.float64)},
            rest | {name: array[0]},
            rest | {name: array.tolist()},
        )
        for given in wrong:
            with pytest.raises(InputMismatchError, match=name):
                case.session.run(given)
        assert_close(case.session.run(inputs), case.reference.run(inputs), self.relative)

    def test_inputs_that_disagree_on_a_symbol_are_refused(self, case: Case) -> None:
        small, large = case.inputs(2), case.inputs(3)
        if len(small) == 1:
            assert set(case.session.run(large)) == set(case.session.run(small))
            return
        first = next(iter(small))
        with pytest.raises(InputMismatchError, match="batch"):
            case.session.run(large | {first: small[first]})

    def test_facts_say_what_really_runs(self, case: Case) -> None:
        facts = case.session.facts()
        assert all(isinstance(k, str) and isinstance(v, str) and v for k, v in facts.items())
        assert facts["provider"]
        assert facts["precision"] == "float32"
        assert facts["threads"] == str(THREADS)
        assert facts["version"]

    def test_a_profile_names_operators_largest_first(self, case: Case) -> None:
        rows = case.session.profile(case.inputs(), runs=3)
        assert rows
        assert all(row.operator and row.seconds >= 0 and row.count >= 1 for row in rows)
        assert sum(row.seconds for row in rows) > 0
        assert [r.seconds for r in rows] == sorted((r.seconds for r in rows), reverse=True)
        assert len({r.operator for r in rows}) == len(rows)

    def test_one_thread_is_one_thread_and_a_session_closes_twice(self, case: Case, tmp_path: Path) -> None:
        session = self.engine.compile(case.model, workload(case.network, threads=1), tmp_path)
        assert_close(session.run(case.inputs()), case.reference.run(case.inputs()), self.relative)
        assert session.facts()["threads"] == "1"
        session.close()
        session.close()
        with pytest.raises(EngineError, match="closed"):
            session.run(case.inputs())

    def test_a_broken_model_is_refused_with_a_typed_error(self, case: Case, tmp_path: Path) -> None:
        broken = tmp_path / ("broken.onnx" if case.model.form == "onnx" else "broken")
        if case.model.form == "onnx":
            broken.write_bytes(case.model.payload.read_bytes()[: case.model.payload.stat().st_size // 2])
        else:
            broken.mkdir()
            (broken / "module.json").write_text((case.model.payload / "module.json").read_text())
            (broken / "weights.safetensors").write_bytes(b"\0" * 64)
        model = Model.of(case.model.form, broken, case.model.signature, case.model.origin)
        with pytest.raises(SpeedwellError):
            self.engine.compile(model, workload(case.network), tmp_path)


class QuantizedConformance:
    """Both quantized forms, and the blocks that some quantizers' graphs fail on, against the unoptimized reference.

    ``largest`` and ``mean`` bound the difference relative to the reference's largest output: engines may round an
    8-bit value the other way, not more. ``lacks``: "network" or "network-quantizer" of graphs with operators that the
    engine does not have; it must say so.
    """

    engine: ClassVar[Engine]
    largest: ClassVar[float] = 0.05
    mean: ClassVar[float] = 0.01
    lacks: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        if "quantized" in metafunc.fixturenames:
            pairs = [p for p in QUANTIZED if not cls._lacks(p)]
            metafunc.parametrize("quantized", pairs, indirect=True, scope="class", ids=pair_name)

    @classmethod
    def _lacks(cls, pair: Pair) -> bool:
        return pair[0].name in cls.lacks or pair_name(pair) in cls.lacks

    @pytest.fixture(scope="class")
    @classmethod
    def quantized(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
        network, quantize = request.param
        folder = tmp_path_factory.mktemp(network.name)
        model = quantize(network, folder)
        session = cls.engine.compile(model, workload(network), folder)
        case = Case(network, model, session, reference_session(model, 1))
        yield case
        case.session.close()
        case.reference.close()

    @pytest.mark.parametrize("batch", [1, 3])
    def test_a_quantized_graph_agrees_with_the_reference(self, quantized: Case, batch: int) -> None:
        for seed in range(4):
            inputs = quantized.inputs(batch, seed=100 + seed)
            got, want = quantized.session.run(inputs), quantized.reference.run(inputs)
            for spec in quantized.model.signature.outputs:
                if spec.dtype == "float32":
                    apart = np.abs(got[spec.name] - want[spec.name]) / np.abs(want[spec.name]).max()
                    assert apart.max() <= self.largest
                    assert apart.mean() <= self.mean

    def test_facts_count_the_layers_that_run_in_int8(self, quantized: Case) -> None:
        layers = quantized.session.facts()["int8 layers"]
        whole, total = (int(n) for n in layers.split(" of "))
        assert 0 <= whole <= total
        assert total > 0
        assert (quantized.session.facts()["precision"] == "int8") == (whole * 2 > total)

    def test_what_it_lacks_is_unsupported_by_name(self, tmp_path: Path) -> None:
        for network, quantize in (p for p in QUANTIZED if self._lacks(p)):
            with pytest.raises(EngineError, match=r"^unsupported: \w+"):
                self.engine.compile(quantize(network, tmp_path), workload(network), tmp_path)

    def test_a_static_graph_really_runs_in_int8(self, tmp_path: Path) -> None:
        """Every layer that has weights; a product of two activations may be computed in float."""
        network, quantize = next(p for p in QUANTIZED if p[1] is static_int8 and not self._lacks(p))
        model = quantize(network, tmp_path)
        session = self.engine.compile(model, workload(network), tmp_path)
        whole, total = (int(n) for n in session.facts()["int8 layers"].split(" of "))
        assert layers_with_weights(model) <= whole <= total
        session.close()


def pair_name(pair: Pair) -> str:
    """ "attention-dynamic_int8" """
    network, quantize = pair
    return f"{network.name}-{quantize.__name__}"


def layers_with_weights(model: Model) -> int:
    """Convolutions and products of a quantized graph whose second operand is a constant."""
    import onnx

    graph = onnx.load(model.payload).graph
    constants = {tensor.name for tensor in graph.initializer}
    held = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in constants}
    return sum(n.op_type in ("Conv", "Gemm", "MatMul") and n.input[1] in held for n in graph.node)
