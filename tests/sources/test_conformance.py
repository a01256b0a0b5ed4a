"""The suite itself: it must fail where a source breaks what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from speedwell.core import Model, Origin
from speedwell.core.errors import ModelNotFoundError
from speedwell.sources.onnx_file import OnnxFile
from speedwell.testing.sources import Made, SourceConformance


class Careless(OnnxFile):
    """Claims everything, writes into the user's folder and says that all is found."""

    def claims(self, reference):  # noqa: ARG002
        return True

    def load(self, reference, weights, scratch):  # noqa: ARG002
        from pathlib import Path

        if not Path(reference).exists():
            raise FileNotFoundError(reference)
        model = super().load(reference, None, Path(reference).parent)
        return Model(model.form, model.payload, model.signature, Origin("other", reference), model.traits, "0")


@pytest.fixture
def suite(small_onnx):
    class Suite(SourceConformance):
        def source(self):
            return Careless()

        def make(self, folder):
            folder.mkdir(exist_ok=True)
            (folder / "m.onnx").write_bytes(small_onnx().SerializeToString())
            return Made(str(folder / "m.onnx"), {"x": np.ones((1, 4), np.float32)})

    return Suite()


def test_a_source_that_claims_everything_fails(suite, tmp_path):
    with pytest.raises(AssertionError):
        suite.test_it_has_a_name_and_claims_its_own_references_only(suite.make(tmp_path))


def test_a_payload_elsewhere_fails(suite, tmp_path):
    made = suite.make(tmp_path / "made")
    model = suite.source().load(made.reference, None, tmp_path / "scratch")
    with pytest.raises(AssertionError):
        suite.test_the_payload_lies_under_scratch_and_its_digest_is_its_content(model, tmp_path)
    with pytest.raises(AssertionError):
        suite.test_opening_leaves_the_users_files_as_they_are(made, tmp_path)


def test_an_untyped_error_fails(suite, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        suite.test_nothing_there_is_said_so(tmp_path)
    assert not isinstance(caught.value, ModelNotFoundError)
