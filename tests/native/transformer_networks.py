"""Small transformers of many families, random weights: Hugging Face's code, exported as our ``to_onnx`` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speedwell.core import Signature, TensorSpec
from speedwell.passes.quiet import quiet
from speedwell.passes.to_onnx import EXPORTERS

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
        """Float32, batch free, for texts the sequence too."""
        import torch
        import transformers

        torch.manual_seed(0)
        with quiet():
            config = getattr(transformers, self.config)(**self.settings)
            network = getattr(transformers, self.network)(config).eval()
        spread = torch.Generator().manual_seed(1)
        for weight in network.parameters():
            if weight.dim() > 1:  # as initialized many layers hardly do anything
                weight.data = torch.randn(weight.shape, generator=spread) * (0.7 / max(1, weight[0].numel()) ** 0.5)
        example = {name: torch.from_numpy(array) for name, array in self.feeds(2, 32).items()}
        shape = ("batch", "sequence") if self.texts else ("batch", 3, IMAGE, IMAGE)
        dtype = "int64" if self.texts else "float32"
        signature = Signature(
            tuple(TensorSpec(name, dtype, shape) for name in example), (TensorSpec("y", "float32", ("batch",)),)
        )
        failures = []
        for export in EXPORTERS.values():
            try:
                with quiet(), torch.no_grad():
                    export(_first_output(network, [*example]), example, signature, folder / "model.onnx")
                return folder / "model.onnx"
            except Exception as error:  # whatever tracing raises: the next exporter is tried, as in to_onnx
                failures.append(error)
        raise ExceptionGroup(f"{self.name} cannot be exported", failures)

    def feeds(self, batch: int, length: int) -> dict[str, np.ndarray]:
        """Texts of several lengths, padded; pictures of noise."""
        rng = np.random.default_rng((batch, length))
        if not self.texts:
            return {"pixel_values": rng.standard_normal((batch, 3, IMAGE, IMAGE)).astype(np.float32)}
        mask = np.ones((batch, length), np.int64)
        for row in mask[1:]:
            row[length - rng.integers(0, max(1, length // 2)) :] = 0
        return {"input_ids": rng.integers(3, WORDS, (batch, length)), "attention_mask": mask}


def _first_output(network: Any, names: list[str]) -> Any:
    import torch

    class First(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *tensors: Any) -> Any:
            outputs = self.network(**dict(zip(names, tensors, strict=True)), return_dict=True)
            return outputs["logits"] if "logits" in outputs else outputs[0]

    return First().eval()


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
