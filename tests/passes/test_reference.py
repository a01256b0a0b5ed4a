from __future__ import annotations

import numpy as np

from speedwell.passes import reference
from speedwell.testing.pass_models import NETWORKS


def test_both_forms_of_a_network_agree(tmp_path):
    for network in NETWORKS[1:3]:
        inputs = network.inputs(2, 9, 3)
        one, two = (reference.run(network.make(f, tmp_path / network.name / f), inputs) for f in ("torch", "onnx"))
        assert list(one) == list(two) == ["output"]
        np.testing.assert_allclose(one["output"], two["output"], rtol=0, atol=2e-5)


def test_the_same_inputs_give_the_same_bits(tmp_path):
    model, inputs = NETWORKS[0].make("onnx", tmp_path), NETWORKS[0].inputs(2, 9, 3)
    first = reference.run(model, inputs)["output"]
    reference.forget()
    np.testing.assert_array_equal(first, reference.run(model, inputs)["output"])


def test_only_a_few_models_stay_open(tmp_path):
    for network in NETWORKS:
        reference.run(network.make("onnx", tmp_path / network.name), network.inputs(1, 9, 0))
        assert len(reference._open) <= reference.KEPT
    reference.forget()
    assert not reference._open
