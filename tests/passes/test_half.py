from __future__ import annotations

import dataclasses

import pytest

from speedwell.core.errors import PreconditionError
from speedwell.passes import Half, HalfTorch
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import CAPABLE, PassConformance, context_for

OLD = dataclasses.replace(CAPABLE, flags=("avx2",))


class TestOnnx(PassConformance):
    passes = (Half(),)
    networks = NETWORKS[:1]


class TestTorch(PassConformance):
    passes = (HalfTorch(),)
    networks = NETWORKS[:1]


@pytest.mark.parametrize("apply", [Half(), HalfTorch()], ids=["onnx", "torch"])
def test_a_processor_without_bfloat16_is_refused_and_offered_no_choice(apply, tmp_path):
    model = NETWORKS[0].make(apply.takes.form, tmp_path)
    assert type(apply).choices(model, CAPABLE)
    assert type(apply).choices(model, OLD) == ()
    with pytest.raises(PreconditionError, match="bfloat16"):
        apply(model, context_for(NETWORKS[0], tmp_path, OLD))


def test_the_payload_is_shared_and_only_the_trait_is_new(tmp_path):
    model = NETWORKS[0].make("onnx", tmp_path)
    after = Half()(model, context_for(NETWORKS[0], tmp_path))
    assert (after.payload, after.digest, after.traits) == (model.payload, model.digest, model.traits | {"bf16"})
    assert Half.choices(after, CAPABLE) == ()
