"""``Recipe``: how a network is trained, as one frozen record that a TOML file holds word for word."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from ..core.errors import UsageError

__all__ = ["Augment", "Distil", "Loss", "Optimizer", "Privacy", "Recipe", "Schedule", "Stop"]


@dataclass(frozen=True)
class Distil:
    """Learning from a teacher (Hinton et al. 2015, arXiv:1503.02531), beside or instead of the labels.

    ``weight``: share of the soft loss in 0..1, the rest is the loss on labels. ``temperature`` > 0. ``hard``: the
    teacher's answer as a label instead of its distribution. ``features``, ``attention``: weights (>= 0) of the
    distance between what the ``layers`` of both give (names of submodules, "student:teacher" where they differ), as
    similarities of samples and as maps of where the activation is; so widths may differ (``losses/distillation.py``).
    """

    weight: float = 0.9
    temperature: float = 2.0
    hard: bool = False
    features: float = 0.0
    attention: float = 0.0
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loss:
    """``name``: "auto" (the task's own), "cross-entropy" or "focal" (``gamma``; Lin et al. 2017, arXiv:1708.02002).

    ``smoothing``: label smoothing in 0..1. ``distil``: with a teacher.
    """

    name: Literal["auto", "cross-entropy", "focal"] = "auto"
    smoothing: float = 0.0
    gamma: float = 2.0
    distil: Distil | None = None


@dataclass(frozen=True)
class Optimizer:
    """``lr``: the highest learning rate. ``weight_decay`` is decoupled in adamw and muon; norms, biases and position
    tables are not decayed. ``head_lr``: factor for the last layer, which starts from nothing in fine-tuning.
    """

    name: Literal["sgd", "adamw", "muon"] = "adamw"
    lr: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    head_lr: float = 1.0


@dataclass(frozen=True)
class Schedule:
    """The learning rate rises over the share ``warmup`` of all steps, then falls to ``final`` times its highest."""

    name: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.05
    final: float = 0.0


@dataclass(frozen=True)
class Augment:
    """What is done to training samples only. Images: ``flip`` (left to right), ``crop`` (pixels of padding, then a
    random cut), ``zoom`` (area kept, at least this share; 1 = off), ``cutout`` (side of a grey square, pixels).
    Detection: ``flip``, ``scale`` (lowest and highest size), ``shift`` (share of the side), ``mosaic`` (share of
    samples made from four), ``colour`` (strength 0..1). Texts: ``drop_tokens`` (share of tokens hidden).
    """

    flip: bool = False
    crop: int = 0
    zoom: float = 1.0
    cutout: int = 0
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    mosaic: float = 0.0
    colour: float = 0.0
    drop_tokens: float = 0.0


@dataclass(frozen=True)
class Stop:
    """Training ends at the first of these: ``epochs``; ``steps`` (0 = no limit); ``minutes`` (0 = no limit; the
    number of epochs is cut so that the schedule ends in time); ``target`` reached by the validation metric (0..1);
    ``patience`` validations without a better one (0 = off); the loss of ``diverged`` times its start.
    """

    epochs: float = 10.0
    steps: int = 0
    minutes: float = 0.0
    target: float = 0.0
    patience: int = 0
    diverged: float = 100.0


@dataclass(frozen=True)
class Privacy:
    """Differential privacy for each training sample by DP-SGD (docs/private-training.md).

    Either ``epsilon``, which all planned steps together stay within, or ``noise``: the standard deviation of what is
    added to the sum of gradients, over ``max_grad_norm``, to which each sample's gradient is clipped. ``delta``: 0 for
    n^-1.1 of n samples. ``secure``: noise and sampling come from a key of the operating system that is forgotten at the
    end; without it from ``seed``, which makes runs repeatable and protects only from those who do not know it.
    """

    epsilon: float = 0.0
    noise: float = 0.0
    delta: float = 0.0
    max_grad_norm: float = 1.0
    secure: bool = True


@dataclass(frozen=True)
class Recipe:
    """All that decides what training does to a network; two runs with equal recipes, data and threads are equal.

    ``batch``: samples a step, over all processes; ``accumulation``: parts it is computed in, one after the other.
    ``ema``: decay of the averaged weights that are handed over (0 = off). ``clip``: greatest norm of the gradient
    (0 = off). ``freeze``: parameters whose name starts so are not trained. ``validate_every``: epochs.
    ``precision``: of layers; auto: bfloat16 where a measurement before the first step finds it 1.2 times as fast.
    ``checkpoint_seconds``: how much work a kill may cost. ``privacy``: private training; batches are then of ``batch``
    samples on average.
    """

    loss: Loss = field(default_factory=Loss)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    augment: Augment = field(default_factory=Augment)
    stop: Stop = field(default_factory=Stop)
    batch: int = 64
    accumulation: int = 1
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    ema: float = 0.0
    clip: float = 0.0
    freeze: tuple[str, ...] = ()
    channels_last: bool = True
    compile: bool = False
    bucket: bool = True
    validate_every: float = 1.0
    checkpoint_seconds: float = 60.0
    privacy: Privacy | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        o, s, a = self.optimizer, self.stop, self.augment
        _within("loss.smoothing", self.loss.smoothing, 0, 1, open_above=True)
        _within("loss.gamma", self.loss.gamma, 0, 10)
        if self.loss.distil is not None:
            _within("loss.distil.weight", self.loss.distil.weight, 0, 1)
            _within("loss.distil.temperature", self.loss.distil.temperature, 1e-3, 100)
            _within("loss.distil.features", self.loss.distil.features, 0, 1e6)
            _within("loss.distil.attention", self.loss.distil.attention, 0, 1e6)
            if (self.loss.distil.features or self.loss.distil.attention) and not self.loss.distil.layers:
                raise UsageError(
                    "loss.distil compares features of no layer", 'Name submodules: layers = ["stages.4", "stages.8"].'
                )
        _within("optimizer.lr", o.lr, 0, 100)
        _within("optimizer.momentum", o.momentum, 0, 1, open_above=True)
        _within("optimizer.weight_decay", o.weight_decay, 0, 10)
        _within("optimizer.head_lr", o.head_lr, 0, 1000)
        for beta in o.betas:
            _within("optimizer.betas", beta, 0, 1, open_above=True)
        _within("schedule.warmup", self.schedule.warmup, 0, 1)
        _within("schedule.final", self.schedule.final, 0, 1)
        _within("augment.zoom", a.zoom, 0.05, 1)
        _within("augment.crop", a.crop, 0, 1024)
        _within("augment.cutout", a.cutout, 0, 4096)
        _within("augment.shift", a.shift, 0, 1)
        for share in ("mosaic", "colour", "drop_tokens"):
            _within(f"augment.{share}", getattr(a, share), 0, 1)
        if not 0.05 <= a.scale[0] <= a.scale[1] <= 20:
            raise UsageError(f"augment.scale is {list(a.scale)}", "Give the lowest and the highest size: [0.5, 1.5].")
        _within("stop.epochs", s.epochs, 0, 1e6)
        _within("stop.steps", s.steps, 0, 1e12)
        _within("stop.minutes", s.minutes, 0, 1e6)
        _within("stop.target", s.target, 0, 1)
        _within("stop.patience", s.patience, 0, 1e6)
        _within("stop.diverged", s.diverged, 1, 1e12)
        if not s.epochs and not s.steps:
            raise UsageError("neither stop.epochs nor stop.steps says when to stop", "Give one of them.")
        _within("batch", self.batch, 1, 1 << 20)
        _within("accumulation", self.accumulation, 1, self.batch)
        _within("ema", self.ema, 0, 1, open_above=True)
        _within("clip", self.clip, 0, 1e12)
        _within("validate_every", self.validate_every, 0, 1e6)
        _within("checkpoint_seconds", self.checkpoint_seconds, 0, 1e6)
        _within("seed", self.seed, 0, 1 << 62)
        if self.privacy is not None:
            _private(self.privacy)


def _private(p: Privacy) -> None:
    if bool(p.epsilon) == bool(p.noise):
        said = f"privacy.epsilon is {p.epsilon:g} and privacy.noise {p.noise:g}"
        raise UsageError(said, "Give one of them: the noise follows from epsilon, or epsilon from the noise.")
    _within("privacy.epsilon", p.epsilon, 0, 1000)
    if p.noise:
        _within("privacy.noise", p.noise, 0.2, 1e4)
    _within("privacy.delta", p.delta, 0, 1, open_above=True)
    _within("privacy.max_grad_norm", p.max_grad_norm, 1e-6, 1e6)


def _within(name: str, value: float, low: float, high: float, open_above: bool = False) -> None:
    fits = math.isfinite(value) and low <= value and (value < high if open_above else value <= high)
    if not fits:
        raise UsageError(
            f"{name} is {value!r}", f"Give a number from {low:g} to {'below ' if open_above else ''}{high:g}."
        )
