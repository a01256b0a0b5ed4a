"""``encoder``: a small transformer encoder for text classification."""

from __future__ import annotations

import torch
from torch import nn

from ..core.errors import UsageError

__all__ = ["Encoder", "EncoderLayer", "encoder"]


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward network, each behind a layer norm and added to the stream (pre-norm: trains
    from scratch without a long warm-up; Xiong et al. 2020, arXiv:2002.04745).
    """

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.inner_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """``x`` [N, L, width]; ``mask`` [N, 1, 1, L], True on tokens."""
        n, length, width = x.shape
        y = self.attention_norm(x)
        q, k, v = (
            layer(y).view(n, length, self.heads, width // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.dropout(self.out(y.transpose(1, 2).reshape(n, length, width)))
        y = nn.functional.gelu(self.up(self.inner_norm(x)))
        out: torch.Tensor = x + self.dropout(self.down(y))
        return out


class Encoder(nn.Module):
    """Token and position embeddings, layers, a last norm, the mean over tokens, a linear head."""

    def __init__(
        self, classes: int, vocabulary: int, length: int, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(EncoderLayer(width, heads, 4 * width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.dropout(self.tokens(input_ids) + self.positions(places))
        mask = attention_mask.to(torch.bool)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        weight = attention_mask[..., None].to(x.dtype)
        x = (self.norm(x) * weight).sum(1) / weight.sum(1).clamp(min=1)
        out: torch.Tensor = self.head(x)
        return out


def encoder(
    classes: int,
    vocabulary: int,
    length: int = 128,
    width: int = 192,
    layers: int = 3,
    heads: int = 6,
    dropout: float = 0.1,
) -> nn.Module:
    """A transformer encoder (Vaswani et al. 2017, arXiv:1706.03762) of ``layers`` layers, ``width`` wide.

    ``vocabulary``: number of token ids; ``length``: the longest text, in tokens. Inputs ``input_ids`` and
    ``attention_mask`` [N, L], output [N, classes]. Raises ``UsageError`` where ``heads`` does not divide ``width``.
    """
    if min(classes, vocabulary, length, width, layers, heads) < 1 or width % heads or not 0 <= dropout < 1:
        raise UsageError(
            f"width {width} with {heads} heads, {layers} layers, {classes} classes, dropout {dropout}",
            "heads must divide width, dropout is below 1, all others are at least 1.",
        )
    network = Encoder(classes, vocabulary, length, width, layers, heads, dropout)
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    return network
