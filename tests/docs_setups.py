"""Small, real things for the code blocks of the documentation: ``python docs_setups.py NAME FOLDER``.

images   photos/<class>/*.png (two kinds of stripes), photo.png, unlabelled/, model.onnx, network.py with
         weights.safetensors, classes.txt
texts    texts.csv (text,label), unlabelled.csv, text_model.onnx, tokenizer.json
bundle   bundle/, signed, of the images network; maker.pub, the signer's public key
squares  finder.py (a detector of red and green squares), data/annotations.json (COCO) with data/images/
run      run/, a finished run on the images network (with the images)
Nothing is trained: the weights are chosen so that the answers are right, which takes no time and is the same each time.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

CLASSES = ("across", "down")
SIDE, WIDTH = 16, 16
NETWORK = '''"""Stripes: do they run across or down?"""

from torch import nn

CLASSES = ["across", "down"]


def build() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2),
    )


build.classes = CLASSES
build.preprocessing = {"image": {"size": 16, "resize": "stretch", "scale": 1 / 255}}
'''


def weights() -> dict[str, np.ndarray]:
    """Half of the first layer answers to stripes across, half to stripes down."""
    rng = np.random.default_rng(0)
    edge = np.outer([1.0, -2.0, 1.0], [1.0, 1.0, 1.0])
    first = np.stack([np.stack([edge if k < WIDTH // 2 else edge.T] * 3) for k in range(WIDTH)])
    first = first * rng.uniform(0.5, 1.0, (WIDTH, 1, 1, 1))
    second = np.eye(WIDTH)[..., None, None] * rng.uniform(0.5, 1.0, (WIDTH, 1, 1, 1))
    head = np.array([[1.0] * (WIDTH // 2) + [-1.0] * (WIDTH // 2)])
    made = {"0.weight": first, "0.bias": np.zeros(WIDTH), "2.weight": second, "2.bias": np.zeros(WIDTH),
            "6.weight": np.concatenate([head, -head]), "6.bias": np.zeros(2)}  # fmt: skip
    return {name: np.ascontiguousarray(value, np.float32) for name, value in made.items()}


def picture(kind: int, rng: np.random.Generator) -> np.ndarray:
    stripes = np.zeros((SIDE, SIDE, 3))
    stripes[::2] = rng.uniform(25, 60)
    noise = rng.integers(80, 150, (SIDE, SIDE, 3))
    return (noise + (stripes if kind == 0 else stripes.transpose(1, 0, 2))).astype(np.uint8)


def images(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from PIL import Image
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)
    for kind, name in enumerate(CLASSES):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(300):
            Image.fromarray(picture(kind, rng)).save(folder / "photos" / name / f"{i:03}.png")
    (folder / "unlabelled").mkdir()
    for i in range(600):
        Image.fromarray(picture(i % 2, rng)).save(folder / "unlabelled" / f"{i:03}.png")
    Image.fromarray(picture(1, rng)).save(folder / "photo.png")
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    (folder / "network.py").write_text(NETWORK)
    save_file(weights(), folder / "weights.safetensors")
    nodes = [
        helper.make_node("Conv", ["image", "0.weight", "0.bias"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "2.weight", "2.bias"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "6.weight", "6.bias"], ["logits"], transB=1),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "stripes", [value("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [value("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(array, name) for name, array in weights().items()],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
    )


def squares(folder: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parent / "workflow"))
    import detection_world

    detection_world.write_factory(folder)
    detection_world.write_coco(folder / "data", 320, 0)


def texts(folder: Path) -> None:
    """Word vectors, a mean over the words, a linear layer: is a review good or bad?"""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    good, bad = ["fine", "lovely", "brilliant", "warm", "kind"], ["dull", "broken", "cold", "rude", "slow"]
    plain = ["the", "room", "was", "and", "breakfast", "very", "staff", "a", "place", "stay", "we", "found", "it"]
    words = ["[PAD]", "[UNK]", *good, *bad, *plain]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(words)}, "unk_token": "[UNK]"},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    rng, seen = np.random.default_rng(2), set()
    while len(seen) < 900:
        mood = good if len(seen) % 2 else bad
        chosen = [*rng.choice(plain, rng.integers(3, 12)), *rng.choice(mood, 2, replace=False)]
        seen.add((" ".join(rng.permutation(chosen)), "good" if mood is good else "bad"))
    rows = sorted(seen)
    with (folder / "texts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    with (folder / "unlabelled.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text",), *((text,) for text, _ in rows)])
    table = rng.normal(0, 0.05, (len(words), 8))
    table[2:7, 0], table[7:12, 0] = 1.0, -1.0
    head = np.zeros((8, 2))
    head[0] = [-4.0, 4.0]
    arrays = {"table": table.astype(np.float32), "head": head.astype(np.float32), "axis": np.array([1], np.int64)}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("ReduceSum", ["vectors", "axis"], ["sum"], keepdims=0),
        helper.make_node("MatMul", ["sum", "head"], ["logits"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "reviews", [value("input_ids", TensorProto.INT64, ["batch", "sequence"])],
        [value("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "text_model.onnx")


def bundle(folder: Path) -> None:
    """The images network in the onnx form, fused, signed with the key in $SPEEDWELL_HOME."""
    import time

    from speedwell import __version__
    from speedwell.bundle import BundleContents, BundleEvidence, EvidenceRecord, own_key, write_bundle
    from speedwell.core import Candidate, Hardware, Promise, Workload
    from speedwell.sources import load_model
    from speedwell.tasks import build

    beside = folder / "made"
    beside.mkdir()
    images(beside)
    model = load_model(str(beside / "model.onnx"), None, beside / "scratch")
    build("image-classification", {}).transform(model, {"size": SIDE}).save(beside / "transform")
    hardware = Hardware.here()
    record = EvidenceRecord(time.time(), hardware.fingerprint, hardware, None, (), (), {})
    contents = BundleContents(
        model=model, candidate=Candidate((), "onnxruntime"), task="image-classification", classes=CLASSES,
        promise=Promise("accuracy", 0.01, "1pt"), workloads=(Workload(1, 1, {"image": (1, 3, SIDE, SIDE)}),),
        original=model.digest, confirmed=False, preprocessing=beside / "transform",
        evidence=BundleEvidence(record, {}, None), speedwell=__version__,
    )  # fmt: skip
    key = own_key()
    write_bundle(folder / "bundle", contents, key)
    shutil.copy(key.public, folder / "maker.pub")
    for name in ("photo.png", "model.onnx", "photos"):
        shutil.move(beside / name, folder / name)
    shutil.rmtree(beside)


def run(folder: Path) -> None:
    """A real run with few rounds, on the torch form: ONNX Runtime is then a finalist on any machine."""
    images(folder)
    command = (
        "speedwell accelerate network.py:build --weights weights.safetensors --data photos --max-drop 5pt --budget 60s "
        "--engines onnxruntime --passes to_onnx,fuse --rounds 4 --calls 3 --run run --quiet"
    )
    subprocess.run(command.split(), cwd=folder, check=True)


if __name__ == "__main__":
    # made where it stays: a run's paths are absolute; the marker is written last, so that half a setup is not taken
    target = Path(sys.argv[2])
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    {"images": images, "texts": texts, "bundle": bundle, "run": run, "squares": squares}[sys.argv[1]](target)
    target.with_suffix(".made").touch()
