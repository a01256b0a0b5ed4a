from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from speedwell.core import Availability, Hardware, Kind, Model, Origin, Pass, Signature, Step, decode, encode
from speedwell.search import EngineOffer, PassOffer

HARDWARE = Hardware("cpu", "x86_64", 2, 1, (), "", "Linux", "3.11")
MODEL = Model("onnx", Path("x.onnx"), Signature((), ()), Origin("onnx", "x"), frozenset({"float"}), "0")


@dataclass(frozen=True)
class Shrink(Pass):
    name: ClassVar[str] = "shrink"
    takes: ClassVar[Kind] = Kind("onnx", frozenset({"float"}))
    gives: ClassVar[Kind] = Kind("onnx", frozenset({"w4"}), frozenset({"float"}))
    engine_settings: ClassVar[Mapping[str, str]] = {"narrow": "absent"}
    keep_float: int = 0
    narrow: int = 0
    method: str = ""

    def apply(self, model: Model, context: Any) -> Model:  # noqa: ARG002
        return model


@dataclass(frozen=True)
class Plain(Shrink):
    name: ClassVar[str] = "plain"
    lossless: ClassVar[bool] = True


class Absent:
    name = "absent"

    def availability(self, hardware: Hardware) -> Availability:
        return Availability(False, why_not=f"needs more than {hardware.cores} cores")

    def reads(self, form: str, traits: frozenset[str]) -> str:
        return "" if form == "onnx" and traits else "no"


def test_an_offer_is_read_off_the_class_repair_included() -> None:
    offer = PassOffer.of(Shrink, MODEL, HARDWARE, repair_limit=9)
    assert (offer.name, offer.choices, offer.lossless) == ("shrink", (Step("shrink"),), False)
    assert (offer.repair, offer.repair_limit) == ("keep_float", 9)
    assert offer.product("onnx", frozenset({"float", "fused"})) == ("onnx", frozenset({"w4", "fused"}))
    assert offer.product("torch", frozenset({"float"})) is None
    assert offer.own_settings(Step("shrink", {"narrow": 1, "method": "a"})) == {"narrow": "absent"}
    assert offer.own_settings(Step("shrink", {"method": "a"})) == {}
    assert decode(PassOffer, encode(offer)) == offer
    assert PassOffer.of(Plain, MODEL, HARDWARE).lossless


def test_an_engine_says_why_it_cannot_run() -> None:
    offer = EngineOffer.of(Absent(), HARDWARE)  # type: ignore[arg-type]
    assert offer.why_not == "needs more than 2 cores"
    assert offer.reads("onnx", frozenset({"float"})) == ""
