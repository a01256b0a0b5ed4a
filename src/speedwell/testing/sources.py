"""The conformance suite of sources: inherit ``SourceConformance``, say how a model is made, and run pytest.

class TestMySource(SourceConformance):
    def source(self):
        return MySource()

    def make(self, folder):            # write a small model into ``folder``
        return Made(reference, {"x": np.zeros((2, 4), np.float32)})
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from ..core import Model, Source, decode, encode, path_digest
from ..core.errors import ModelError, ModelNotFoundError, SpeedwellError
from ..sources import build_module, call_module, complete_signature

__all__ = ["Made", "SourceConformance", "outputs_of"]

FOREIGN = ("", "photo.jpg", "notes.txt", "model.weights.xyz", "no such thing")


@dataclass(frozen=True)
class Made:
    """A reference to a model that was made for the suite, a batch of inputs that it takes, and its weights file."""

    reference: str
    inputs: Mapping[str, np.ndarray]
    weights: Path | None = None


class SourceConformance(ABC):
    """What every source keeps, whatever it opens. Each test gets a fresh folder."""

    @abstractmethod
    def source(self) -> Source:
        """The source under test."""

    @abstractmethod
    def make(self, folder: Path) -> Made:
        """A small model in ``folder`` (which is empty), the same each time it is called."""

    def missing(self, folder: Path) -> str:
        """A reference of this kind behind which nothing lies."""
        return self.make(folder / "made").reference.replace("made", "gone")

    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        folder = tmp_path / "made"
        folder.mkdir()
        return self.make(folder)

    @pytest.fixture
    def model(self, made: Made, tmp_path: Path) -> Model:
        return self.source().load(made.reference, made.weights, tmp_path / "scratch")

    def test_it_has_a_name_and_claims_its_own_references_only(self, made: Made) -> None:
        source = self.source()
        assert source.name
        assert source.claims(made.reference)
        assert not [r for r in FOREIGN if source.claims(r)]

    def test_the_payload_lies_under_scratch_and_its_digest_is_its_content(self, model: Model, tmp_path: Path) -> None:
        assert model.payload.resolve().is_relative_to((tmp_path / "scratch").resolve())
        assert model.digest == path_digest(model.payload)
        assert model.size_bytes > 0
        assert model.origin.kind == self.source().name

    def test_opening_twice_gives_the_same_content(self, made: Made, model: Model, tmp_path: Path) -> None:
        again = self.source().load(made.reference, made.weights, tmp_path / "other")
        assert again.digest == model.digest
        assert again.signature == model.signature

    def test_two_models_fit_into_one_scratch_folder(self, made: Made, model: Model, tmp_path: Path) -> None:
        again = self.source().load(made.reference, made.weights, tmp_path / "scratch")
        assert again.payload != model.payload
        assert path_digest(model.payload) == model.digest

    def test_opening_leaves_the_users_files_as_they_are(self, made: Made, tmp_path: Path) -> None:
        before = _files(tmp_path / "made")
        self.source().load(made.reference, made.weights, tmp_path / "scratch")
        assert _files(tmp_path / "made") == before

    def test_the_record_survives_json(self, model: Model) -> None:
        assert decode(Model, json.loads(json.dumps(encode(model)))) == model

    def test_input_names_are_known_before_any_data(self, made: Made, model: Model) -> None:
        assert set(model.signature.input_names) >= set(made.inputs)

    def test_the_whole_signature_fits_inputs_and_outputs(self, made: Made, model: Model) -> None:
        whole = complete_signature(model, dict(made.inputs))
        whole.signature.check(made.inputs)
        outputs = outputs_of(whole, made.inputs)
        assert tuple(outputs) == whole.signature.output_names
        for spec in whole.signature.outputs:
            spec.check(outputs[spec.name])

    def test_it_answers_the_same_each_time_it_is_rebuilt(self, made: Made, model: Model) -> None:
        whole = complete_signature(model, dict(made.inputs))
        first, second = outputs_of(whole, made.inputs), outputs_of(whole, made.inputs)
        for name, value in first.items():
            np.testing.assert_array_equal(value, second[name])
            assert np.isfinite(value).all()

    def test_a_damaged_payload_is_a_typed_error(self, model: Model) -> None:
        if model.form == "torch":
            weights = model.payload / "weights.safetensors"
            weights.write_bytes(weights.read_bytes()[:-1])
        with pytest.raises(ModelError):  # an ONNX form has no module at all
            build_module(model)
        with pytest.raises(ModelError):
            build_module(replace(model, payload=model.payload.with_name("gone")))

    def test_nothing_there_is_said_so(self, tmp_path: Path) -> None:
        (tmp_path / "made").mkdir()
        with pytest.raises(ModelNotFoundError) as caught:
            self.source().load(self.missing(tmp_path), None, tmp_path / "scratch")
        assert caught.value.what

    def test_errors_leave_no_half_payload_that_opens(self, made: Made, tmp_path: Path) -> None:
        bad = tmp_path / "bad.safetensors"
        bad.write_bytes(b"\0" * 64)
        with pytest.raises(SpeedwellError):
            self.source().load(made.reference, bad, tmp_path / "scratch")
        assert not list((tmp_path / "scratch").rglob("module.json"))


def outputs_of(model: Model, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The model's outputs by its own reference: torch eagerly, ONNX in ONNX Runtime without optimizations."""
    if model.form == "torch":
        import torch

        with torch.inference_mode():
            tensors = {n: torch.from_numpy(np.array(a)) for n, a in inputs.items()}
            answer = call_module(build_module(model), tensors, model.signature)
        return {name: value.numpy() for name, value in answer.items()}
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(model.payload), options, providers=["CPUExecutionProvider"])
    names = list(model.signature.output_names)
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _files(folder: Path) -> dict[str, tuple[str, int]]:
    """Content and mode by relative name; Python's own caches do not count."""
    return {
        str(p.relative_to(folder)): (path_digest(p), os.stat(p).st_mode)
        for p in sorted(folder.rglob("*"))
        if p.is_file() and "__pycache__" not in p.parts
    }
