from pathlib import Path

import pytest

from speedwell.core import Hardware, Model, Workload, decode
from speedwell.core.errors import UnknownNameError
from speedwell.workflow import jobs
from speedwell.workflow.offering import Offers, check_names, engine_offers, gather_offers


def test_names_are_checked_before_anything_is_done() -> None:
    check_names((), ())
    check_names(("eager", "openvino"), ("fuse",))
    with pytest.raises(UnknownNameError, match="--engines: there is no engine 'warp'"):
        check_names(("eager", "warp"), ())
    with pytest.raises(UnknownNameError, match="--passes: there is no pass 'warp'") as error:
        check_names((), ("warp",))
    assert "quantize_static" in error.value.fix


def test_passes_say_what_they_offer_or_why_nothing(world: Path, tmp_path: Path) -> None:
    model = decode(Model, jobs.open_model(str(world / "reader.onnx"), None, tmp_path / "original"))
    workload = Workload(1, 1, {"image": (1, 1, 8, 8)})
    answer = gather_offers(model, ("fuse", "half_torch"), tmp_path, None, workload, Hardware.here(), 0, 60.0)
    offers = decode(Offers, answer)
    assert [o.name for o in offers.passes] == ["fuse"]
    assert any(n.startswith("half_torch") for n in offers.notes)


def test_engines_come_in_the_order_asked_for() -> None:
    offers = engine_offers(("openvino", "onnxruntime"), Hardware.here())
    assert [o.name for o in offers] == ["openvino", "onnxruntime"]
    assert {o.name for o in engine_offers((), Hardware.here())} >= {
        "eager",
        "inductor",
        "onnxruntime",
        "openvino",
        "native",
    }
