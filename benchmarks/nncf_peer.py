"""nncf by its own recipe: ``quantize_with_accuracy_control`` on one ONNX file. Runs in the peer's environment, without
Speedwell: numpy, onnx, onnxruntime, openvino and nncf only.

    python nncf_peer.py openvino|onnx MODEL.onnx CALIBRATION.npz VALIDATION.npz OUT MAX_DROP [transformer]

An npz holds samples as arrays "<i>/<input name>" with the batch axis, and ``targets``. Writes OUT/product.xml (or
.onnx) and OUT/facts.json.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

__all__: list[str] = []


def samples(path: str) -> list[tuple[dict[str, np.ndarray], int]]:
    """(inputs by name, class number) of every sample."""
    with np.load(path, allow_pickle=False) as file:
        targets = file["targets"]
        found: list[tuple[dict[str, np.ndarray], int]] = [({}, int(t)) for t in targets]
        for key in file.files:
            number, _, name = key.partition("/")
            if name:
                found[int(number)][0][name] = file[key]
    return found


def on_openvino(model: Any, data: Iterable[Any]) -> tuple[float, list[float]]:
    """``validation_fn`` for OpenVINO: a compiled model."""
    request = model.create_infer_request()
    right = [float(np.argmax(request.infer(inputs)[0]) == target) for inputs, target in data]
    return float(np.mean(right)), right


def on_onnx(model: Any, data: Iterable[Any]) -> tuple[float, list[float]]:
    """``validation_fn`` for ONNX: a model in memory."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    right = [float(np.argmax(session.run(None, inputs)[0]) == target) for inputs, target in data]
    return float(np.mean(right)), right


def main(backend: str, model: str, calibration: str, validation: str, out: str, max_drop: str, kind: str = "") -> None:
    import nncf

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if backend == "openvino":
        import openvino

        network = openvino.Core().read_model(model)
        validate = on_openvino
    else:
        import onnx

        network = onnx.load(model)
        validate = on_onnx
    known = samples(calibration)
    began = time.perf_counter()
    product = nncf.quantize_with_accuracy_control(
        network,
        calibration_dataset=nncf.Dataset(known, lambda item: item[0]),
        validation_dataset=nncf.Dataset(samples(validation), lambda item: item),
        validation_fn=validate,
        max_drop=float(max_drop),
        drop_type=nncf.DropType.ABSOLUTE,
        subset_size=len(known),
        model_type=nncf.ModelType.TRANSFORMER if kind == "transformer" else None,
    )
    seconds = time.perf_counter() - began
    if backend == "openvino":
        openvino.save_model(product, str(folder / "product.xml"), compress_to_fp16=False)
    else:
        onnx.save_model(product, str(folder / "product.onnx"))
    names = ("nncf", "openvino", "onnx", "onnxruntime", "numpy")
    facts = {"seconds": seconds, "versions": {name: version(name) for name in names}}
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])
