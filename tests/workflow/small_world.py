"""A small real world for whole runs in seconds: scans of digits, a network that reads them, intents in texts.

Networks: random convolutions with a head fitted by least squares (a random-feature model), so nothing is trained by
gradient and every figure is the same each time. 14 thousand multiply-adds an image, about 95 % right.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QUICK: dict[str, Any] = {"budget": "10m", "rounds": 4, "calls": 15, "threads": 1}
"""A whole run in seconds: the few engines and passes that a test names end the search long before the budget does, on
a busy machine too. 4 rounds give estimates, enough where one side is several times the speed of the other."""
QUICK_OPTIONS = tuple(f"--{name}={value}" for name, value in QUICK.items())
IMAGES: dict[str, Any] = {"resize": "stretch", "mean": [0.0], "std": [1.0], "colour": "gray"}
IMAGE_OPTIONS = ("--resize=stretch", "--mean=0", "--std=1", "--colour=gray")

NETWORK = """
    import torch
    from torch import nn


    class Reader(nn.Module):
        def __init__(self, classes=10):
            super().__init__()
            self.first = nn.Conv2d(1, 8, 3, 1, 1)
            self.first_norm = nn.BatchNorm2d(8)
            self.second = nn.Conv2d(8, 16, 3, 2, 1)
            self.second_norm = nn.BatchNorm2d(16)
            self.head = nn.Linear(256, classes)

        def forward(self, image):
            x = torch.relu(self.first_norm(self.first(image)))
            x = torch.relu(self.second_norm(self.second(x)))
            return self.head(torch.flatten(x, 1))


    def build():
        return Reader()
"""


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 scans of handwritten digits (UCI, packaged by scikit-learn): uint8 [n, 8, 8] and what they show."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return (pixels[order].reshape(-1, 8, 8) * 15.9).astype(np.uint8), labels[order].astype(np.int64)


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """3x3, padding 1, then ReLU: [n, c, h, w] to [n, k, h / stride, w / stride]."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::stride, ::stride]
    return np.maximum(np.einsum("nchwij,kcij->nkhw", windows, weight) + bias[:, None, None], 0)


def reader_weights() -> dict[str, np.ndarray]:
    """The state dict of ``NETWORK``, float32: the first 200 scans fit the head."""
    rng = np.random.default_rng(1)
    weights: dict[str, np.ndarray] = {}
    for name, shape in (("first", (8, 1, 3, 3)), ("second", (16, 8, 3, 3))):
        weights[f"{name}.weight"] = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        weights[f"{name}.bias"] = rng.normal(0, 0.1, shape[0])
        weights[f"{name}_norm.weight"] = rng.uniform(0.8, 1.2, shape[0])
        weights[f"{name}_norm.bias"] = rng.normal(0, 0.1, shape[0])
        weights[f"{name}_norm.running_mean"] = np.zeros(shape[0])
        weights[f"{name}_norm.running_var"] = np.full(shape[0], 1.0 - 1e-5)
    pixels, labels = digits()
    x = pixels[:, None].astype(np.float64) / 255
    for name, stride in (("first", 1), ("second", 2)):
        scale, shift = weights[f"{name}_norm.weight"], weights[f"{name}_norm.bias"]
        folded = weights[f"{name}.weight"] * scale[:, None, None, None], weights[f"{name}.bias"] * scale + shift
        x = _convolve(x, *folded, stride)
    features = np.concatenate([x.reshape(len(x), -1), np.ones((len(x), 1))], 1)[:400]
    wanted = np.eye(10)[labels[:400]] * 4 - 2
    solved = np.linalg.solve(features.T @ features + 1e-1 * np.eye(features.shape[1]), features.T @ wanted)
    weights["head.weight"], weights["head.bias"] = solved[:-1].T, solved[-1]
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


def reader_onnx(batch: int | str = "N", size: int = 8, classes: int = 10, ballast: int = 0) -> onnx.ModelProto:
    """The same network as a graph with batch norms left in it.

    ``ballast``: channels of a slow branch that raises every score of an image alike. With it an engine that remembers
    its answers is faster by far; without, by microseconds, and then this machine's noise would say who wins.
    """
    w = reader_weights()
    w["head.weight"], w["head.bias"] = w["head.weight"][:classes], w["head.bias"][:classes]
    nodes, x = [], "image"
    for name, stride in (("first", 1), ("second", 2)):
        norm = [f"{name}_norm.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        nodes += [
            helper.make_node(
                "Conv", [x, f"{name}.weight", f"{name}.bias"], [f"{name}.c"], pads=[1] * 4, strides=[stride] * 2
            ),
            helper.make_node("BatchNormalization", [f"{name}.c", *norm], [f"{name}.n"], epsilon=1e-5),
            helper.make_node("Relu", [f"{name}.n"], [f"{name}.r"]),
        ]
        x = f"{name}.r"
    nodes += [
        helper.make_node("Flatten", [x], ["features"]),
        helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["scores"], transB=1),
    ]
    if ballast:
        rng = np.random.default_rng(2)
        w["wide"] = rng.normal(0, 0.1, (ballast, 1, 3, 3)).astype(np.float32)
        w["deep"] = rng.normal(0, 1e-3, (ballast, ballast, 3, 3)).astype(np.float32)
        nodes[-1].output[0] = "light"
        nodes += [
            helper.make_node("Conv", ["image", "wide"], ["wide.c"], pads=[1] * 4),
            helper.make_node("Relu", ["wide.c"], ["wide.r"]),
            helper.make_node("Conv", ["wide.r", "deep"], ["deep.c"], pads=[1] * 4),
            helper.make_node("ReduceMean", ["deep.c"], ["ballast"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Unsqueeze", ["ballast", "last"], ["column"]),
            helper.make_node("Add", ["light", "column"], ["scores"]),
        ]
        w["last"] = np.array([1], np.int64)
    return _graph(
        nodes,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 1, size, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, classes])],
        w,
    )


def _graph(nodes: list, inputs: list, outputs: list, weights: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def write_images(folder: Path, pixels: np.ndarray, labels: np.ndarray, ending: str = "png") -> Path:
    """A folder per class."""
    from PIL import Image

    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        place = folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:04d}.{ending}")
    return folder


def write_factory(folder: Path) -> tuple[str, Path]:
    """``digit_reader.py`` and its weights in ``folder``: the reference and the weights file."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "digit_reader.py").write_text(textwrap.dedent(NETWORK).lstrip())
    counted = {f"{name}_norm.num_batches_tracked": np.array(0, np.int64) for name in ("first", "second")}
    save_file({**reader_weights(), **counted}, folder / "digit_reader.safetensors")
    return f"{folder / 'digit_reader.py'}:build", folder / "digit_reader.safetensors"


WORDS = str.split(
    "please tell me about my the a an is are was can could would you how do i get what where when why today now soon "
    "card account bank money cash charge refund order flight hotel weather rain sun book table food recipe song play"
)
INTENTS = {"card": ("card", "charge", "bank"), "trip": ("flight", "hotel", "book"), "sky": ("weather", "rain", "sun")}


def texts(n: int, seed: int) -> list[tuple[str, str]]:
    """``n`` sentences of 3 to 24 words with the intent that one of their words gives away."""
    rng = np.random.default_rng(seed)
    fillers = [w for w in WORDS if all(w not in keys for keys in INTENTS.values())]
    rows: dict[str, str] = {}
    while len(rows) < n:
        intent = sorted(INTENTS)[int(rng.integers(len(INTENTS)))]
        words = list(rng.choice(fillers, int(rng.integers(2, 24))))
        words.insert(int(rng.integers(len(words) + 1)), str(rng.choice(INTENTS[intent])))
        rows[" ".join(words)] = intent
    return list(rows.items())


def write_texts(path: Path, n: int, seed: int) -> Path:
    with path.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows([("text", "label"), *texts(n, seed)])
    return path


def write_tokenizer(path: Path) -> Path:
    """A word-level tokenizer.json with [PAD] 0 and [UNK] 1."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", *dict.fromkeys(WORDS)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))
    return path


def intent_onnx() -> onnx.ModelProto:
    """Mean of embeddings over the mask, then a linear head: input_ids and attention_mask to 3 scores."""
    vocabulary = ["[PAD]", "[UNK]", *dict.fromkeys(WORDS)]
    rng = np.random.default_rng(2)
    embedding = rng.normal(0, 0.05, (len(vocabulary), 16))
    for i, intent in enumerate(sorted(INTENTS)):
        for word in INTENTS[intent]:
            embedding[vocabulary.index(word), i] += 8
    weights = {
        "embedding": embedding.astype(np.float32),
        "head": np.eye(16, 3, dtype=np.float32),
        "last": np.array([2], np.int64),
        "sequence": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["embedding", "input_ids"], ["vectors"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["vectors", "mask3"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "sequence"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "sequence"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "head"], ["scores"]),
    ]
    names = ("input_ids", "attention_mask")
    return _graph(
        nodes,
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["N", "S"]) for n in names],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])],
        weights,
    )


def command(
    *arguments: object,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 240,
    program: Sequence[str] = (sys.executable, "-m", "speedwell"),
) -> subprocess.CompletedProcess[str]:
    """Run ``speedwell`` as a user would."""
    return subprocess.run(
        [*program, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def started(
    *arguments: object,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (sys.executable, "-m", "speedwell"),
) -> subprocess.Popen[str]:
    """The same, while it runs."""
    return subprocess.Popen(
        [*program, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def main_with_limit(seconds: float) -> list[str]:
    """The same program with every step of a candidate limited to ``seconds``: a planted hang is a row soon."""
    code = (
        "from speedwell.workflow import searching\n"
        f"searching.LIMIT_LEAST = searching.LIMIT_MOST = {seconds}\n"
        "from speedwell.cli import main\nmain()"
    )
    return [sys.executable, "-c", code]


def mentions(text: str) -> list[int]:
    """Ids of living processes whose command line or environment names ``text`` (this process left out)."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in told:
            found.append(int(entry.name))
    return found


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    """Whether ``condition()`` became true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


ENGINES_FILE = """
    import ctypes
    import os
    import signal
    import time

    import numpy as np

    from speedwell.core import Availability


    class Session:
        def __init__(self, model, threads):
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            self.session = onnxruntime.InferenceSession(str(model.payload), options)
            self.names = list(model.signature.output_names)
            self.known = {}

        def run(self, inputs):
            key = b"".join(v.tobytes() for v in inputs.values())
            if key not in self.known:
                self.known[key] = dict(zip(self.names, self.session.run(self.names, dict(inputs)), strict=True))
            return self.change(inputs, self.known[key])

        def change(self, inputs, outputs):
            return outputs

        def profile(self, inputs, runs):
            return ()

        def facts(self):
            return {"provider": "memory"}

        def close(self):
            pass


    class Remembers:
        '''ONNX Runtime that keeps every answer it gave: correct, and faster on what it has seen.'''

        name = "remembers"
        session = Session

        def availability(self, hardware):
            return Availability(True, "1")

        def reads(self, form, traits):
            return "" if form == "onnx" else "takes ONNX"

        def compile(self, model, workload, scratch):
            return self.session(model, workload.threads)


    class SlipSession(Session):
        def change(self, inputs, outputs):
            (images,) = inputs.values()
            slips = np.array([sum(image.tobytes()) % 60 == 13 for image in images])
            return {k: np.where(slips[:, None], np.roll(v, 1, -1), v) for k, v in outputs.items()}


    class Slips(Remembers):
        '''Wrong on about one image in sixty.'''

        name, session = "slips", SlipSession


    class WrongSession(Session):
        def change(self, inputs, outputs):
            return {k: np.roll(v, 1, -1) for k, v in outputs.items()}


    class Wrong(Remembers):
        name, session = "wrong", WrongSession


    class NotFiniteSession(Session):
        def change(self, inputs, outputs):
            return {k: np.full_like(v, np.nan) for k, v in outputs.items()}


    class NotFinite(Remembers):
        name, session = "notfinite", NotFiniteSession


    class MisshapenSession(Session):
        def change(self, inputs, outputs):
            return {k: v[..., :-1] for k, v in outputs.items()}


    class Misshapen(Remembers):
        name, session = "misshapen", MisshapenSession


    class DoubleSession(Session):
        def change(self, inputs, outputs):
            return {k: v.astype(np.float64) for k, v in outputs.items()}


    class Double(Remembers):
        name, session = "double", DoubleSession


    class Hangs(Remembers):
        name = "hangs"

        def compile(self, model, workload, scratch):
            os.fork()  # a helper process of its own, as compilers have
            time.sleep(3600)


    class Segfaults(Remembers):
        name = "segfaults"

        def compile(self, model, workload, scratch):
            ctypes.string_at(0)


    class Hungry(Remembers):
        name = "hungry"

        def compile(self, model, workload, scratch):
            return np.ones(7 << 37)  # 7 TB of float64


    class Leaves(Remembers):
        name = "leaves"

        def compile(self, model, workload, scratch):
            os._exit(0)


    class Killed(Remembers):
        name = "killed"

        def compile(self, model, workload, scratch):
            os.kill(os.getpid(), signal.SIGKILL)
"""


def write_engines(folder: Path, *names: str) -> Path:
    """A distribution in ``folder`` that brings the engines ``names`` (class names of ``ENGINES_FILE``)."""
    info = folder / "planted-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "planted_engines.py").write_text(textwrap.dedent(ENGINES_FILE).lstrip())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    points = "".join(f"{name.lower()} = planted_engines:{name}\n" for name in names)
    (info / "entry_points.txt").write_text("[speedwell.engines]\n" + points)
    return folder


def as_json(path: Path) -> Any:
    return json.loads(path.read_text())


def make_world(folder: Path) -> Path:
    """reader.onnx, slow_reader.onnx (with ballast), scans/ (a folder per class), intent.onnx, texts.csv,
    tokenizer.json, code/digit_reader.py.
    """
    pixels, labels = digits()
    onnx.save(reader_onnx(), folder / "reader.onnx")
    onnx.save(reader_onnx(ballast=256), folder / "slow_reader.onnx")
    write_images(folder / "scans", pixels[400:], labels[400:])
    onnx.save(intent_onnx(), folder / "intent.onnx")
    write_texts(folder / "texts.csv", 900, 0)
    write_tokenizer(folder / "tokenizer.json")
    write_factory(folder / "code")
    return folder
