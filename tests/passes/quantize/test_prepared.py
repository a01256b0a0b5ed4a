from __future__ import annotations

from speedwell.passes import Fuse
from speedwell.passes.quantize.coverage import weighted_nodes
from speedwell.passes.quantize.prepared import prepared
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import context_for

BERT = next(n for n in NETWORKS if n.name == "bert")


def test_an_unfused_model_is_prepared_like_a_fused_one(tmp_path):
    model = BERT.make("onnx", tmp_path)
    fused = Fuse()(model, context_for(BERT, tmp_path / "fused"))
    one, two = (sorted(n.op_type for n in prepared(m).graph) for m in (model, fused))
    assert one == two
    assert len(weighted_nodes(prepared(model))) == 13
