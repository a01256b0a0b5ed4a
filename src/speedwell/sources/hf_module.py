"""A Hugging Face network as Speedwell calls it: tensors in, the logits tensor out. Imports torch."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["ImageLogits", "TextLogits", "TypedTextLogits", "wrap"]


class TextLogits(torch.nn.Module):
    """int64 [N, L] twice to logits [N, classes]."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


class TypedTextLogits(torch.nn.Module):
    """As ``TextLogits``, for networks that tell two texts apart by a type id (BERT)."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        logits: torch.Tensor = self.network(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).logits
        return logits


class ImageLogits(torch.nn.Module):
    """float32 [N, C, H, W] to logits [N, classes]."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(pixel_values=pixel_values).logits
        return logits


def wrap(network: Any) -> torch.nn.Module:
    """The wrapper that fits: by whether the network takes pixels, and whether it has more than one token type."""
    import inspect

    names = inspect.signature(network.forward).parameters
    if "pixel_values" in names:
        return ImageLogits(network)
    if "token_type_ids" in names and getattr(network.config, "type_vocab_size", 0) > 1:
        return TypedTextLogits(network)
    return TextLogits(network)
