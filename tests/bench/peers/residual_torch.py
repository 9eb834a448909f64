"""The residual preset in PyTorch, layer for layer as in worker/gan/networks, to compare speed.

Parameters stand in the order of the Keras networks' weights, so that the same numbers can be put
into both and their pictures compared.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as fn

SLOPE = 0.2
SMALLEST_BASE = 8


@dataclass(frozen=True)
class Shape:
    """What is learned: side in px, channels, and how many values each attribute has."""

    size: int
    channels: int
    values: Sequence[int]


class Residual(nn.Module):
    def __init__(self, width: int, gain: float) -> None:
        super().__init__()
        self.spread = convolution(width, width, 3, gain=gain)
        self.gather = convolution(width, width, 1)
        nn.init.zeros_(self.gather.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.gather(fn.leaky_relu(self.spread(x), SLOPE))


class Conditions(nn.Module):
    """One table an attribute; row 0 stands for a label that is unknown."""

    def __init__(self, values: Sequence[int], width: int) -> None:
        super().__init__()
        self.tables = nn.ParameterList(torch.randn(count + 1, width) for count in values)

    def forward(self, labels: torch.Tensor) -> list[torch.Tensor]:
        return [fn.embedding(labels[:, i] + 1, table) for i, table in enumerate(self.tables)]


class Projection(nn.Module):
    """The verdict of features, and of features with what is known of the labels."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.verdict = nn.Linear(width, 1)
        self.conditions = Conditions(shape.values, width)

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        logit = self.verdict(features)[:, 0]
        for i, row in enumerate(self.conditions(labels)):
            known = (labels[:, i] >= 0).float()
            logit = logit + known * features.shape[1] ** -0.5 * (features * row).sum(1)
        return logit


class Generator(nn.Module):
    def __init__(self, hyper: dict[str, Any], shape: Shape) -> None:
        super().__init__()
        self.sides = resolutions(shape.size)
        widths, blocks = hyper["generator_widths"], hyper["blocks"]
        gain = (len(widths) * blocks) ** -0.5
        self.conditions = Conditions(shape.values, hyper["embedding"])
        entered = hyper["latent"] + hyper["embedding"] * len(shape.values)
        self.start = nn.Linear(entered, self.sides[0] ** 2 * widths[0])
        self.blocks = nn.ModuleList(stage(width, blocks, gain) for width in widths)
        self.narrow = changes(widths)
        self.paint = convolution(widths[-1], shape.channels, 3, gain=0.5)

    def forward(self, latents: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x = self.start(torch.cat([latents, *self.conditions(labels)], 1))
        # Keras lays pictures out with channels last; so do the numbers of its first layer.
        x = x.view(len(x), self.sides[0], self.sides[0], -1).permute(0, 3, 1, 2)
        x = self.blocks[0](x)
        for side, narrow, blocks in zip(self.sides[1:], self.narrow, self.blocks[1:], strict=True):
            x = fn.interpolate(narrow(x), (side, side), mode="bilinear", align_corners=False)
            x = blocks(x)
        return torch.tanh(self.paint(x))


class Discriminator(nn.Module):
    def __init__(self, hyper: dict[str, Any], shape: Shape) -> None:
        super().__init__()
        widths, blocks = hyper["discriminator_widths"], hyper["blocks"]
        gain = (len(widths) * blocks) ** -0.5
        self.stem = convolution(4 * shape.channels, widths[0], 3)
        self.blocks = nn.ModuleList(stage(width, blocks, gain) for width in widths)
        self.widen = changes(widths)
        flat = widths[-1] * resolutions(shape.size)[-1 - len(widths)] ** 2
        self.features = nn.Linear(flat, hyper["features"])
        self.verdict = Projection(shape, hyper["features"])

    def features_of(self, images: torch.Tensor) -> torch.Tensor:
        x = self.blocks[0](self.stem(space_to_depth(images)))
        for widen, blocks in zip(self.widen, self.blocks[1:], strict=True):
            x = fn.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
            x = blocks(widen(x))
        x = fn.leaky_relu(x, SLOPE).permute(0, 2, 3, 1).flatten(1)
        return self.features(x)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.verdict(self.features_of(images), labels)


def stage(width: int, blocks: int, gain: float) -> nn.Sequential:
    return nn.Sequential(*(Residual(width, gain) for _ in range(blocks)))


def changes(widths: Sequence[int]) -> nn.ModuleList:
    return nn.ModuleList(
        convolution(before, width, 1) if before != width else nn.Identity()
        for before, width in itertools.pairwise(widths)
    )


def convolution(entering: int, width: int, kernel: int, *, gain: float = 1.0) -> nn.Conv2d:
    layer = nn.Conv2d(entering, width, kernel, padding=kernel // 2, bias=kernel > 1)
    scale = 2.0 * gain**2 / (1.0 + SLOPE**2) if kernel > 1 else 1.0
    nn.init.trunc_normal_(layer.weight, std=(scale / (entering * kernel**2)) ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def space_to_depth(images: torch.Tensor) -> torch.Tensor:
    """In TensorFlow's order of channels: place in the block first, colour last."""
    n, c, h, w = images.shape
    blocks = images.view(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(n, 4 * c, h // 2, w // 2)


def resolutions(size: int) -> list[int]:
    """Sides in px, lowest first: 28 -> 7, 14, 28."""
    sides = [size]
    while sides[-1] > SMALLEST_BASE:
        sides.append(-(-sides[-1] // 2))
    return sides[::-1]
