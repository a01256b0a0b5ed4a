from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from speedwell.core import Context, Hardware, Kind, Model, Origin, Pass, Signature, Step, TensorSpec, Workload
from speedwell.core.errors import PreconditionError, PromiseError

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch",)),), (TensorSpec("y", "float32", ("batch",)),))
FLOAT = Kind("onnx", frozenset({"float"}), frozenset({"static-int8"}))


@dataclass(frozen=True)
class Shrink(Pass):
    bits: int = 8
    says: str = "static-int8"
    name: ClassVar[str] = "shrink"
    takes: ClassVar[Kind] = FLOAT
    gives: ClassVar[Kind] = Kind("onnx", frozenset({"static-int8"}))

    def apply(self, model: Model, context: Context) -> Model:
        shrunk = context.scratch / "shrunk.onnx"
        shrunk.write_bytes(model.payload.read_bytes()[: self.bits])
        signature = SIGNATURE if self.bits != 1 else replace(SIGNATURE, outputs=())
        return Model.of("onnx", shrunk, signature, model.origin, {self.says})


@pytest.fixture
def model(tmp_path: Path) -> Model:
    (tmp_path / "m.onnx").write_bytes(b"0123456789")
    return Model.of("onnx", tmp_path / "m.onnx", SIGNATURE, Origin("onnx", "m.onnx"))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Context(lambda: iter(()), lambda _, inputs: inputs, Workload(1, 1), Hardware.here(), scratch)


def test_the_product_is_new_and_the_model_untouched(model: Model, context: Context) -> None:
    product = Shrink()(model, context)
    assert product.traits == {"static-int8"}
    assert product.payload.is_relative_to(context.scratch)
    assert model.payload.read_bytes() == b"0123456789"


def test_nothing_is_quantized_twice(model: Model, context: Context) -> None:
    product = Shrink()(model, context)
    with pytest.raises(PreconditionError, match="shrink needs float"):
        Shrink()(product, context)
    with pytest.raises(PreconditionError, match="is not for a model that is static-int8"):
        Shrink()(replace(model, traits=frozenset({"float", "static-int8"})), context)
    with pytest.raises(PreconditionError, match="takes the onnx form, this is torch"):
        Shrink()(replace(model, form="torch"), context)


def test_a_broken_promise_is_caught(model: Model, context: Context) -> None:
    with pytest.raises(PromiseError, match="needs static-int8"):
        Shrink(says="float")(model, context)
    with pytest.raises(PromiseError, match="changed the signature"):
        Shrink(bits=1)(model, context)


def test_a_step_holds_what_differs_from_the_defaults() -> None:
    assert Shrink().step == Step("shrink", {})
    assert Shrink(bits=4).step == Step("shrink", {"bits": 4})
