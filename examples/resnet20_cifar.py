"""ResNet-20 for CIFAR-10 (He et al. 2015, section 4.2; shortcuts of option A, without parameters).

    speedwell accelerate examples/resnet20_cifar.py:build --weights resnet20_cifar10_jpg.safetensors \
        --data train.npz --confirmation test.npz --max-drop 1% --budget 10m --out bundle/

The npz files hold encoded images: blob (uint8, all JPEG files end to end), offsets (int64, n + 1), labels, classes.
"""

import torch
from torch import nn
from torch.nn import functional

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut; where the size halves, the shortcut takes every second pixel."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.stride, self.pad = stride, (outside - inside) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.stride != 1 or self.pad:
            # the new channels are zeros, half of them before and half after
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return functional.relu(y + x)


class ResNet(nn.Module):
    """float32 [N, 3, 32, 32] to logits [N, classes]; three stages of ``depth`` blocks with 16, 32, 64 channels."""

    def __init__(self, depth: int = 3, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, 1, depth)
        self.layer2 = self._stage(16, 32, 2, depth)
        self.layer3 = self._stage(32, 64, 2, depth)
        self.linear = nn.Linear(64, classes)

    @staticmethod
    def _stage(inside: int, outside: int, stride: int, depth: int) -> nn.Sequential:
        return nn.Sequential(*(Block(inside if i == 0 else outside, outside, stride if i == 0 else 1)
                               for i in range(depth)))  # fmt: skip

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(image)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def build() -> ResNet:
    """What ``speedwell accelerate examples/resnet20_cifar.py:build`` calls; the weights come with --weights."""
    return ResNet()


build.preprocessing = {
    "image": {"size": [32, 32], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
}
build.classes = CLASSES
