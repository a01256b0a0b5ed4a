from __future__ import annotations

import onnx
import pytest

from speedwell.core.errors import PreconditionError, PromiseError
from speedwell.passes import Fuse
from speedwell.passes.fuse import REWRITES
from speedwell.testing.pass_models import NETWORKS
from speedwell.testing.passes import CAPABLE, PassConformance, case_of, context_for

BY_NAME = {n.name: n for n in NETWORKS}


class TestConformance(PassConformance):
    passes = (Fuse(),)


@pytest.mark.parametrize(
    ("name", "there", "gone"),
    [("residual", {"Conv": 3}, ("BatchNormalization", "Constant", "Identity")),
     ("mobile", {"Conv": 6}, ("BatchNormalization",)),
     ("bert", {"LayerNormalization": 5, "Gelu": 2, "MatMul": 16}, ("Erf", "ReduceMean", "Sqrt", "Constant")),
     ("vit", {"LayerNormalization": 2, "Gelu": 1}, ("Erf", "ReduceMean", "Pow"))],
)  # fmt: skip
def test_old_exports_become_the_operators_they_stand_for(tmp_path, name, there, gone):
    found = [n.op_type for n in onnx.load(case_of(Fuse(), BY_NAME[name], tmp_path).after.payload).graph.node]
    assert {o: found.count(o) for o in there} == there
    assert not set(gone) & set(found)


def test_a_fused_model_is_not_fused_again(tmp_path):
    case = case_of(Fuse(), BY_NAME["residual"], tmp_path)
    assert Fuse.choices(case.after, CAPABLE) == ()
    with pytest.raises(PreconditionError, match="fused"):
        Fuse()(case.after, context_for(case.network, tmp_path / "again"))


def test_a_rewrite_that_changes_the_numbers_is_caught(tmp_path, monkeypatch):
    def wrong(model):
        for value in model.graph.initializers.values():
            if value.const_value.dtype.is_floating_point() and value.const_value.numpy().ndim == 4:
                import onnx_ir as ir

                value.const_value = ir.tensor(value.const_value.numpy() * 1.01, name=value.name)
        return 0

    monkeypatch.setattr("speedwell.passes.fuse.REWRITES", {**REWRITES, "wrong": wrong})
    with pytest.raises(PromiseError, match="changed output"):
        case_of(Fuse(), BY_NAME["residual"], tmp_path)
