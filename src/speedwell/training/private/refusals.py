"""What would void the guarantee, found before the first step and refused with a way out."""

from __future__ import annotations

from typing import Any

from torch import nn

from ...core.errors import PrivacyError
from ..losses.detection import DetectionLoss
from ..parallel import Ranks
from ..recipe import Distil, Recipe

__all__ = ["refuse_layers", "refuse_recipe"]

GATED = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention, nn.EmbeddingBag)
"""Layers whose several inputs or outputs Opacus's hooks do not see; it has its own in their place."""


def refuse_recipe(recipe: Recipe, loss: Any, ranks: Ranks) -> None:
    """Raise ``PrivacyError`` for settings under which a sample's gradient is not its own, or nothing is checked."""
    distil = recipe.loss.distil
    if ranks.world > 1:
        raise PrivacyError(
            f"private training in {ranks.world} processes is not built", "Leave --processes out: one has all threads."
        )
    if recipe.compile:
        raise PrivacyError("recipe.compile hides the layers whose gradients are clipped", "Set compile = false.")
    if recipe.precision != "float32":
        raise PrivacyError(
            f'precision is "{recipe.precision}": per-sample gradients are checked in float32 only',
            'Set precision = "float32".',
        )
    if isinstance(loss, DetectionLoss):
        raise PrivacyError(
            "the loss of detection is divided by the objects of the whole batch, so no sample's gradient is its own",
            "Private training knows classification of images and of texts.",
        )
    if distil is not None and distil.features:
        raise PrivacyError(
            f"loss.distil.features is {distil.features:g}: it compares the samples of a batch with each other",
            "Set loss.distil.features = 0; attention and the soft loss look at each sample by itself.",
        )
    if recipe.augment.mosaic:
        raise PrivacyError("augment.mosaic makes one sample of four", "Set augment.mosaic = 0.")


def refuse_layers(network: nn.Module, distil: Distil | None = None) -> None:
    """Raise ``PrivacyError`` for layers that mix samples, or that Opacus cannot take apart by sample."""
    norms = [name for name, m in network.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if norms:
        raise PrivacyError(
            f"batch norm makes a sample's output depend on the others of its batch: {_named(norms)}",
            'Use group norm: --arg norm=group for the network "residual"; in your own, put nn.GroupNorm(channels // 4, '
            "channels) in its place (opacus.validators.ModuleValidator.fix(network) does it for all).",
        )
    gated = [f"{name} ({type(m).__name__})" for name, m in network.named_modules() if isinstance(m, GATED)]
    if gated:
        raise PrivacyError(
            f"gradients by sample are not to be had of {_named(gated)}",
            "Use opacus.layers in their place: DPLSTM, DPGRU, DPRNN, DPMultiheadAttention.",
        )
    tracking = [
        name for name, m in network.named_modules()
        if isinstance(m, nn.modules.instancenorm._InstanceNorm) and m.track_running_stats
    ]  # fmt: skip
    if tracking:
        raise PrivacyError(
            f"running statistics of samples would be kept without noise: {_named(tracking)}",
            "Build them with track_running_stats=False.",
        )
    watched = [text.partition(":")[0] for text in distil.layers] if distil is not None and distil.attention else []
    there = dict(network.named_modules())
    for name in watched:
        if name in there and any(p.requires_grad for p in there[name].parameters(recurse=False)):
            raise PrivacyError(
                f"loss.distil looks at what {name} gives before Opacus does, which would miss that part of gradients",
                "Name the block that it is in, or the activation after it.",
            )


def _named(names: list[str], most: int = 3) -> str:
    shown = ", ".join(name or "the network itself" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
