"""Small transformers of many families, random weights: Hugging Face's code, exported by our ``to_onnx``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from speedwell.passes import ToOnnx
from speedwell.passes.quiet import quiet
from speedwell.testing.pass_models import Network
from speedwell.testing.passes import case_of

__all__ = ["FAMILIES", "Family"]

WORDS, IMAGE = 200, 64
WIDE = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
TEXT = WIDE | {"vocab_size": WORDS}
PICTURE = WIDE | {"image_size": IMAGE, "patch_size": 16}
PYRAMID = {
    "image_size": IMAGE, "num_encoder_blocks": 2, "depths": [1, 1], "sr_ratios": [2, 1], "hidden_sizes": [32, 64],
    "sequence_reduction_ratios": [2, 1], "patch_sizes": [4, 2], "strides": [4, 2], "num_attention_heads": [1, 2],
    "mlp_ratios": [2, 2],
}  # fmt: skip
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
RELATIVE = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "max_relative_positions": 32}


@dataclass(frozen=True)
class Family:
    """``network`` and ``config``: names in transformers. ``fused``: the executor's own attention runs in it."""

    name: str
    network: str
    config: str
    settings: Mapping[str, Any]
    fused: bool = True

    @property
    def texts(self) -> bool:
        return "vocab_size" in self.settings

    def export(self, folder: Path) -> Path:
        """Float32, batch free, for texts the sequence too; compared with torch by ``to_onnx`` itself."""
        network = Network(self.name, self.build, lambda batch, length, _: self.feeds(batch, length))
        return case_of(ToOnnx(), network, folder).after.payload

    def build(self) -> nn.Module:
        """Weights are drawn wider than these networks initialize them, so that every layer matters."""
        with quiet():
            config = getattr(transformers, self.config)(**self.settings)
            network = getattr(transformers, self.network)(config).eval()
        for weight in network.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=(0.5 / max(1, weight[0].numel())) ** 0.5)
        return (Texts if self.texts else Pictures)(network)

    def feeds(self, batch: int, length: int) -> dict[str, np.ndarray]:
        """Texts of several lengths, padded; pictures of noise."""
        rng = np.random.default_rng((batch, length))
        if not self.texts:
            return {"pixel_values": rng.standard_normal((batch, 3, IMAGE, IMAGE)).astype(np.float32)}
        mask = np.ones((batch, length), np.int64)
        for row in mask[1:]:
            row[length - rng.integers(0, max(1, length // 2)) :] = 0
        return {"input_ids": rng.integers(3, WORDS, (batch, length)), "attention_mask": mask}


class Texts(nn.Module):
    """The network's logits, or its states where it has none."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return _first(self.network(input_ids=input_ids, attention_mask=attention_mask, return_dict=True))


class Pictures(Texts):
    """The same for images."""

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return _first(self.network(pixel_values=pixel_values, return_dict=True))


def _first(outputs: Any) -> torch.Tensor:
    return outputs["logits"] if "logits" in outputs else outputs[0]


def _texts(name: str, settings: Mapping[str, Any] | None = None, kind: str = "Model", fused: bool = True) -> Family:
    return Family(name.lower(), name + kind, name + "Config", TEXT | dict(settings or {}), fused)


def _pictures(name: str, settings: Mapping[str, Any], kind: str = "ForImageClassification") -> Family:
    return Family(name.lower(), name + kind, name + "Config", settings)


FAMILIES: tuple[Family, ...] = (
    _texts("Bert", kind="ForSequenceClassification"),
    _texts("Roberta", kind="ForSequenceClassification"),
    _texts("XLMRoberta", kind="ForTokenClassification"),
    _texts("Albert", {"embedding_size": 32}),
    _texts("Electra", {"embedding_size": 32}),
    _texts("MPNet"),
    _texts("RoFormer", {"embedding_size": 64}),
    _texts("Esm", {"pad_token_id": 0, "mask_token_id": 1}),
    _texts("ModernBert", SPECIAL | {"local_attention": 8}),
    _texts("Deberta", RELATIVE),
    _texts("DebertaV2", RELATIVE | {"position_buckets": 16}, fused=False),
    _texts("MobileBert", {"embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32}, fused=False),
    _texts("CLIPText", {"max_position_embeddings": 64}),
    _texts("Llama", {"num_key_value_heads": 2, "pad_token_id": 0, "use_cache": False}, "ForSequenceClassification"),
    Family("distilbert", "DistilBertModel", "DistilBertConfig",
           {"vocab_size": WORDS, "dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128}),
    Family("t5", "T5EncoderModel", "T5Config",
           {"vocab_size": WORDS, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}),
    Family("gpt2", "GPT2ForSequenceClassification", "GPT2Config",
           {"vocab_size": WORDS, "n_embd": 64, "n_layer": 2, "n_head": 4, "pad_token_id": 0, "use_cache": False}),
    _pictures("ViT", PICTURE),
    _pictures("DeiT", PICTURE, "ForImageClassificationWithTeacher"),
    _pictures("Beit", PICTURE | {"use_relative_position_bias": True}),
    _pictures("Dinov2", {k: v for k, v in PICTURE.items() if k != "intermediate_size"}),
    _pictures("SiglipVision", PICTURE, "Model"),
    _pictures("Pvt", PYRAMID),
    _pictures("Swin", {"image_size": IMAGE, "patch_size": 4, "embed_dim": 32, "depths": [2, 2], "num_heads": [2, 4],
                       "window_size": 4}),
)  # fmt: skip
