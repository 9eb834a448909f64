"""The dcgan preset in PyTorch, layer for layer: the DCGAN of TensorFlow's tutorial, conditional.

Generator: dense to 7x7x256 at 28 px, batch norm, leaky rectifier, then transposed 5x5 convolutions.
Discriminator: 5x5 convolutions of stride 2 with dropout. Edges are padded as TensorFlow pads them.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as fn

from tests.bench.peers.residual_torch import Conditions, Projection, Shape, resolutions

SLOPE = 0.3
DROPPED = 0.3
KERNEL = 5
EPSILON, MOMENTUM = 1e-3, 0.01
"""Keras' own for batch norm; its momentum is one minus PyTorch's."""


class Generator(nn.Module):
    def __init__(self, hyper: dict[str, Any], shape: Shape) -> None:
        super().__init__()
        self.sides = resolutions(shape.size)
        widths = hyper["generator_widths"]
        self.conditions = Conditions(shape.values, hyper["embedding"])
        entered = hyper["latent"] + hyper["embedding"] * len(shape.values)
        units = self.sides[0] ** 2 * widths[0]
        self.start = nn.Linear(entered, units, bias=False)
        self.first_norm = nn.BatchNorm1d(units, EPSILON, MOMENTUM)
        strides = [1, *[2] * (len(self.sides) - 2)]
        self.rise = nn.ModuleList(
            Transposed(before, width, stride)
            for before, width, stride in zip(widths, widths[1:], strides, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(w, EPSILON, MOMENTUM) for w in widths[1:])
        self.colour = Transposed(widths[-1], shape.channels, 2)

    def forward(self, latents: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x = self.start(torch.cat([latents, *self.conditions(labels)], 1))
        x = fn.leaky_relu(self.first_norm(x), SLOPE)
        x = x.view(len(x), self.sides[0], self.sides[0], -1).permute(0, 3, 1, 2)
        for side, rise, norm in zip(self.sides[:-1], self.rise, self.norms, strict=True):
            x = fn.leaky_relu(norm(rise(x)[..., :side, :side]), SLOPE)
        return torch.tanh(self.colour(x)[..., : self.sides[-1], : self.sides[-1]])


class Discriminator(nn.Module):
    def __init__(self, hyper: dict[str, Any], shape: Shape) -> None:
        super().__init__()
        widths: list[int] = hyper["discriminator_widths"]
        entering = [shape.channels, *widths[:-1]]
        self.fall = nn.ModuleList(
            nn.Conv2d(before, width, KERNEL, 2)
            for before, width in zip(entering, widths, strict=True)
        )
        side = shape.size
        for _ in widths:
            side = -(-side // 2)
        self.verdict = Projection(shape, side**2 * widths[-1])

    def features_of(self, images: torch.Tensor) -> torch.Tensor:
        x = images
        for fall in self.fall:
            x = fall(fn.pad(x, padding(x.shape[2], 2) * 2))
            x = fn.dropout(fn.leaky_relu(x, SLOPE), DROPPED, self.training)
        return x.permute(0, 2, 3, 1).flatten(1)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.verdict(self.features_of(images), labels)


class Transposed(nn.ConvTranspose2d):
    """A transposed convolution cut as TensorFlow cuts it: one px before, two after, at stride 2."""

    def __init__(self, entering: int, width: int, stride: int) -> None:
        before, _ = padding(stride, stride)
        super().__init__(entering, width, KERNEL, stride, padding=before, bias=False)

    def forward(self, x: torch.Tensor, output_size: Any = None) -> torch.Tensor:
        side = x.shape[2] * self.stride[0]
        return super().forward(x, output_size)[..., :side, :side]


def padding(side: int, stride: int) -> tuple[int, int]:
    """Return px before and after so that a stride s gives side / s, rounded up."""
    total = max((-(-side // stride) - 1) * stride + KERNEL - side, 0)
    return total // 2, total - total // 2
