"""Means and second moments of what each weighted operator multiplies its weight with, over the calibration data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...core import Context
from ..graph import constant
from .clipping import LEVELS, steps
from .ranges import calibration_batches, run_of

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["MAX_COLUMNS", "SAMPLES", "Moments", "input_moments", "patches"]

SAMPLES = 128
"""Calibration samples read at most."""
POSITIONS = {True: 32, False: 4}
"""Output positions drawn per sample, of a dense operator and of a grouped convolution (few columns a group)."""
FLOOR = 1e-10
"""Far above what float64 leaves of a difference of two equal numbers, far below what 8 bits resolve."""
TOGETHER = 512
"""Positions multiplied at once: for samples that come one by one, adding up the products would be most of the work."""
MAX_COLUMNS = 2304
"""Above this many columns a group the second moment is not kept: memory and time grow with its square and cube."""


@dataclass(frozen=True, eq=False)
class Moments:
    """For columns x of a weight matrix [groups, rows, columns]; float64.

    ``mean`` [groups, columns]: E x in float. ``rounded_mean``: E q(x), what the integers stand for.
    ``second`` [groups, columns, columns]: E q(x) q(x)', or None above ``MAX_COLUMNS``.
    """

    mean: np.ndarray
    rounded_mean: np.ndarray
    second: np.ndarray | None

    @property
    def covariance(self) -> np.ndarray | None:
        """Of q(x), [groups, columns, columns]; positive definite even where the input is constant: its diagonal is
        raised by ``FLOOR`` of the second moment's mean diagonal.
        """
        if self.second is None:
            return None
        floor = FLOOR * np.diagonal(self.second, axis1=1, axis2=2).mean(axis=1)[:, None, None]
        spread = self.second - self.rounded_mean[:, :, None] * self.rounded_mean[:, None, :]
        return np.asarray(spread + floor * np.eye(spread.shape[1]))


class _Sum:
    """Moments as they add up."""

    def __init__(self, levels: int = LEVELS) -> None:
        self.levels = levels
        self.count = 0
        self.plain: np.ndarray | float = 0.0
        self.rounded: np.ndarray | float = 0.0
        self.second: np.ndarray | float | None = 0.0
        self.waiting: list[np.ndarray] = []

    def add(self, columns: np.ndarray, limits: tuple[float, float]) -> None:
        """``columns`` float32 [groups, n, columns]."""
        scale, zero = steps(*limits, self.levels)
        quantized = ((np.clip(np.rint(columns / scale) + zero, 0, self.levels) - zero) * scale).astype(np.float32)
        self.count += columns.shape[1]
        self.plain = self.plain + columns.sum(1, dtype=np.float64)
        self.rounded = self.rounded + quantized.sum(1, dtype=np.float64)
        if columns.shape[2] > MAX_COLUMNS:
            self.second = None
            return
        self.waiting.append(quantized)
        if sum(q.shape[1] for q in self.waiting) >= TOGETHER:
            self._multiply()

    def _multiply(self) -> None:
        if self.second is not None and self.waiting:
            # float64: where a column varies little about a large mean, float32 loses all that the covariance is of
            rows = np.concatenate(self.waiting, axis=1).astype(np.float64)
            self.second = self.second + rows.transpose(0, 2, 1) @ rows
        self.waiting = []

    def moments(self) -> Moments:
        self._multiply()
        n = self.count
        second = None if self.second is None else np.asarray(self.second) / n
        return Moments(np.asarray(self.plain) / n, np.asarray(self.rounded) / n, second)


def input_moments(
    graph: ir.Model,
    names: Sequence[str],
    ranges: Mapping[str, tuple[float, float]],
    context: Context,
    levels: int = LEVELS,
) -> Mapping[str, Moments]:
    """Operator name -> its moments; ``ranges`` covers every operator's input. Reads ``SAMPLES`` samples once.

    Operators with one input and one geometry (Q, K and V) share theirs. Positions are drawn by the context's seed.
    """
    nodes = {name: graph.graph.node(name) for name in names}
    keys = {name: (str(node.inputs[0].name), _geometry(node)) for name, node in nodes.items() if node.inputs[0]}
    sources = sorted({source for source, _ in keys.values()})
    rng = np.random.default_rng(context.seed)
    sums = {key: _Sum(levels) for key in keys.values()}
    run = run_of(graph, sources, context, "moments")
    for batch in calibration_batches(context, SAMPLES):
        values = run(batch)
        for (source, geometry), total in sums.items():
            value = values[source]
            if not value.size:
                continue
            if geometry is None:
                rows = value.reshape(-1, value.shape[-1])
                take = _draw(len(rows), POSITIONS[True] * value.shape[0], rng)
                total.add(rows[take][None], ranges[source])
            else:
                columns = patches(value, geometry, POSITIONS[geometry.groups == 1] * value.shape[0], rng)
                split = columns.reshape(len(columns), geometry.groups, -1)
                total.add(np.ascontiguousarray(split.transpose(1, 0, 2)), ranges[source])
    found = {key: total.moments() for key, total in sums.items() if total.count}
    return {name: found[key] for name, key in keys.items() if key in found}


@dataclass(frozen=True)
class Geometry:
    """How a convolution moves over its input; one number per spatial axis, ``pads`` the starts and then the ends."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int


def patches(x: np.ndarray, geometry: Geometry, count: int, rng: np.random.Generator) -> np.ndarray:
    """What the kernel sees at up to ``count`` output positions of ``x`` [N, C, ...]: [n, C, kernel size]."""
    rank = len(geometry.kernel)
    shape = x.shape[2:]
    sizes = [
        (n + geometry.pads[i] + geometry.pads[i + rank] - geometry.dilations[i] * (geometry.kernel[i] - 1) - 1)
        // geometry.strides[i]
        + 1
        for i, n in enumerate(shape)
    ]
    drawn = _draw(int(np.prod([len(x), *sizes])), count, rng)
    sample, *places = np.unravel_index(drawn, [len(x), *sizes])
    columns = []
    for offset in np.ndindex(*geometry.kernel):
        at = [
            p * geometry.strides[i] + offset[i] * geometry.dilations[i] - geometry.pads[i] for i, p in enumerate(places)
        ]
        inside = np.all([(a >= 0) & (a < n) for a, n in zip(at, shape, strict=True)], axis=0)
        # padding is zero; padding the whole input would cost more than all the rest
        seen = x[(sample, slice(None), *(np.clip(a, 0, n - 1) for a, n in zip(at, shape, strict=True)))]
        columns.append(seen * inside[:, None])
    return np.stack(columns, axis=2)


def _draw(total: int, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(total) if total <= count else np.sort(rng.choice(total, count, replace=False))


def _geometry(node: ir.Node) -> Geometry | None:
    """None for a matrix product, whose last axis is the columns."""
    if node.op_type != "Conv":
        return None
    weight = constant(node.inputs[1])
    assert weight is not None
    kernel = weight.shape[2:]
    rank = len(kernel)
    strides, dilations = _numbers(node, "strides", (1,) * rank), _numbers(node, "dilations", (1,) * rank)
    pads = _numbers(node, "pads", (0,) * 2 * rank)
    auto = node.attributes.get("auto_pad")
    if auto is not None and auto.as_string().startswith("SAME"):
        # exact for stride 1; else the border is off by less than a stride, in statistics over all positions
        reach = [d * (k - 1) for k, d in zip(kernel, dilations, strict=True)]
        pads = (*(r // 2 for r in reach), *(r - r // 2 for r in reach))
    group = node.attributes.get("group")
    return Geometry(tuple(kernel), strides, pads, dilations, 1 if group is None else group.as_int())


def _numbers(node: ir.Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    attribute = node.attributes.get(name)
    return default if attribute is None else tuple(attribute.as_ints())
