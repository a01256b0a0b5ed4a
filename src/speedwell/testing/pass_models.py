"""Small trained-like networks for the passes' conformance suite, in both forms with the same weights."""

from __future__ import annotations

import functools
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..core import BATCH, SEQUENCE, Form, Model, Origin, Signature
from ..sources import complete_signature, save_live

__all__ = ["NETWORKS", "Network", "export_plain"]

WORDS, WIDTH, HEADS, CLASSES = 50, 32, 4, 6


class Residual(nn.Module):
    """Convolutions with batch normalization and two kinds of shortcut, one with a zero-padded channel axis."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.one, self.one_norm = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.two, self.two_norm = nn.Conv2d(8, 16, 3, 2, padding=1), nn.BatchNorm2d(16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.stem_norm(self.stem(image)))
        x = functional.relu(self.one_norm(self.one(x)) + x)
        x = functional.relu(self.two_norm(self.two(x)) + functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)))
        answer: torch.Tensor = self.head(functional.max_pool2d(x, 2).mean((2, 3)))
        return answer


class Mobile(nn.Module):
    """MobileNetV3's parts: depthwise convolution, hard-swish, squeeze and excitation, a residual sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 16, 3, 2, padding=1, bias=False), nn.BatchNorm2d(16)
        self.grow, self.grow_norm = nn.Conv2d(16, 32, 1, bias=False), nn.BatchNorm2d(32)
        self.depth, self.depth_norm = nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False), nn.BatchNorm2d(32)
        self.squeeze, self.excite = nn.Conv2d(32, 8, 1), nn.Conv2d(8, 32, 1)
        self.shrink, self.shrink_norm = nn.Conv2d(32, 16, 1, bias=False), nn.BatchNorm2d(16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = functional.hardswish(self.stem_norm(self.stem(image)))
        y = functional.hardswish(self.grow_norm(self.grow(x)))
        y = functional.relu6(self.depth_norm(self.depth(y)))
        gate = functional.hardsigmoid(self.excite(functional.relu(self.squeeze(functional.adaptive_avg_pool2d(y, 1)))))
        x = x + self.shrink_norm(self.shrink(y * gate))
        answer: torch.Tensor = self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return answer


class Layer(nn.Module):
    """A transformer layer, normalization after (BERT), written out so that an exporter writes it out."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: torch.Tensor, hidden: torch.Tensor | None = None) -> torch.Tensor:
        def heads(y: torch.Tensor) -> torch.Tensor:
            return y.reshape(y.shape[0], y.shape[1], HEADS, WIDTH // HEADS).transpose(1, 2)

        scores = heads(self.query(x)) @ heads(self.key(x)).transpose(2, 3) / (WIDTH // HEADS) ** 0.5
        weights = (scores if hidden is None else scores + hidden).softmax(-1)
        mixed = (weights @ heads(self.value(x))).transpose(1, 2).flatten(2)
        x = self.first(x + self.out(mixed))
        answer: torch.Tensor = self.second(x + self.narrow(functional.gelu(self.wide(x))))
        return answer


class Bert(nn.Module):
    """Token ids and their mask to classes: embeddings, two layers, mean over what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(64, WIDTH)
        self.norm, self.layers = nn.LayerNorm(WIDTH), nn.ModuleList(Layer() for _ in range(2))
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.words(input_ids) + self.places.weight[: input_ids.shape[1]])
        hidden = (1 - attention_mask[:, None, None, :].float()) * -1e4
        for layer in self.layers:
            x = layer(x, hidden)
        seen = attention_mask[:, :, None].float()
        answer: torch.Tensor = self.head((x * seen).sum(1) / seen.sum(1))
        return answer


class Vit(nn.Module):
    """A patch embedding by convolution, a class token, one transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.token = nn.Conv2d(3, WIDTH, 8, 8), nn.Parameter(torch.randn(1, 1, WIDTH))
        self.places, self.layer = nn.Parameter(torch.randn(1, 17, WIDTH)), Layer()
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        answer: torch.Tensor = self.head(self.layer(x)[:, 0])
        return answer


@dataclass(frozen=True)
class Network:
    """``build()`` makes the module, always with the same weights; ``inputs(batch, sequence, seed)`` draws inputs.

    ``reset``: give the normalizations statistics of their own; false for weights that come trained.
    """

    name: str
    kind: Callable[[], nn.Module]
    inputs: Callable[[int, int, int], dict[str, np.ndarray]]
    reset: bool = True

    def build(self) -> nn.Module:
        """The module in eval mode."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            module = self.kind()
            for part in module.modules():
                if self.reset and isinstance(part, nn.BatchNorm2d):
                    nn.init.normal_(part.running_mean, std=0.3)  # type: ignore[arg-type]
                    nn.init.uniform_(part.running_var, 0.5, 1.5)  # type: ignore[arg-type]
                    nn.init.uniform_(part.weight, 0.5, 1.5)
                    nn.init.normal_(part.bias, std=0.3)
        return module.eval()

    def make(self, form: Form, folder: Path) -> Model:
        """The model record with its payload under ``folder``."""
        if form == "torch":
            return complete_signature(save_live(self.build(), folder), self.inputs(2, 9, 0), None)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.onnx"
        content, signature = _exported(self)
        path.write_bytes(content)
        return Model.of("onnx", path, signature, Origin("onnx", self.name))


@functools.cache
def _exported(network: Network) -> tuple[bytes, Signature]:
    """The ONNX file: weights are the same each time, so one export serves every test of the process."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.onnx"
        model = network.make("torch", Path(name))
        outputs = list(model.signature.output_names)
        export_plain(network.build(), network.inputs(2, 9, 0), path, outputs)
        return path.read_bytes(), model.signature


def export_plain(module: nn.Module, inputs: dict[str, np.ndarray], path: Path, outputs: list[str]) -> None:
    """Write ONNX as old exporters do: normalizations kept, LayerNorm and Gelu written out, nothing simplified."""
    axes: dict[str, dict[int, str]] = {
        n: {0: BATCH, 1: SEQUENCE} if a.dtype.kind == "i" else {0: BATCH} for n, a in inputs.items()
    }
    options: dict[str, Any] = {"dynamo": False, "opset_version": 14, "do_constant_folding": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is old on purpose
        torch.onnx.export(
            module, tuple(torch.from_numpy(a) for a in inputs.values()), str(path), input_names=list(inputs),
            output_names=outputs, dynamic_axes={**axes, **{o: {0: BATCH} for o in outputs}},
            training=torch.onnx.TrainingMode.PRESERVE, **options,
        )  # fmt: skip


def _image(batch: int, sequence: int, seed: int) -> dict[str, np.ndarray]:  # noqa: ARG001 - one signature for all
    return {"image": np.random.default_rng(seed).standard_normal((batch, 3, 32, 32)).astype(np.float32)}


def _text(batch: int, sequence: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(max(1, sequence // 2), sequence + 1, batch)
    mask = (np.arange(sequence)[None] < lengths[:, None]).astype(np.int64)
    return {"input_ids": rng.integers(0, WORDS, (batch, sequence)), "attention_mask": mask}


NETWORKS: tuple[Network, ...] = (
    Network("residual", Residual, _image),
    Network("mobile", Mobile, _image),
    Network("bert", Bert, _text),
    Network("vit", Vit, _image),
)
