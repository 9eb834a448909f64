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
        self.verdict = nn.Linear(hyper["features"], 1)
        self.conditions = Conditions(shape.values, hyper["features"])

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x = self.blocks[0](self.stem(space_to_depth(images)))
        for widen, blocks in zip(self.widen, self.blocks[1:], strict=True):
            x = fn.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
            x = blocks(widen(x))
        x = fn.leaky_relu(x, SLOPE).permute(0, 2, 3, 1).flatten(1)
        features = self.features(x)
        logit = self.verdict(features)[:, 0]
        for i, row in enumerate(self.conditions(labels)):
            known = (labels[:, i] >= 0).float()
            logit = logit + known * features.shape[1] ** -0.5 * (features * row).sum(1)
        return logit


class Training:
    """Both networks, the averaged generator, both optimisers, and the step over them."""

    def __init__(self, hyper: dict[str, Any], shape: Shape, catalog: "Catalog") -> None:
        self.hyper, self.catalog = hyper, catalog
        self.generator, self.discriminator = Generator(hyper, shape), Discriminator(hyper, shape)
        self.average = Generator(hyper, shape)
        self.average.load_state_dict(self.generator.state_dict())
        self.optimisers = [
            torch.optim.Adam(network.parameters(), hyper["learning_rate"], (0.0, 0.99), 1e-8)
            for network in (self.generator, self.discriminator)
        ]

    def step(self) -> None:
        """As worker/gan/trainer: the discriminator first, then the generator against it."""
        real, labels = self.catalog.batch(self.hyper["batch"])
        labels = hide(labels, self.hyper)
        latents = torch.randn(len(real), self.hyper["latent"])
        generated = self.generator(latents, labels)
        self._train_discriminator(real, generated.detach(), labels)
        with torch.no_grad():
            real_logits = self.discriminator(real, labels)
        loss = fn.softplus(real_logits - self.discriminator(generated, labels)).mean()
        descend(self.optimisers[0], self.generator, loss)
        with torch.no_grad():
            kept, new = list(self.average.parameters()), list(self.generator.parameters())
            torch._foreach_lerp_(kept, new, 0.01)

    def _train_discriminator(
        self, real: torch.Tensor, generated: torch.Tensor, labels: torch.Tensor
    ) -> None:
        both = torch.cat([real, generated]).requires_grad_()
        logits = self.discriminator(both, torch.cat([labels, labels]))
        (slopes,) = torch.autograd.grad(logits.sum(), both, create_graph=True)
        penalty = slopes.square().sum((1, 2, 3)).view(2, -1).mean(1).sum()
        of_real, of_generated = logits.chunk(2)
        loss = fn.softplus(of_generated - of_real).mean()
        loss = loss + 0.5 * self.hyper["gamma"] * penalty
        descend(self.optimisers[1], self.discriminator, loss)


class Catalog:
    """Images uint8 [n, h, w, c] and labels [n, attributes], in memory.

    `layout` says how batches and weights lie in memory: which is faster depends on the widths.
    """

    def __init__(
        self, images: torch.Tensor, labels: torch.Tensor, layout: torch.memory_format
    ) -> None:
        self.images, self.labels, self.layout = images, labels, layout

    def batch(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw with replacement; images become [n, c, h, w] in [-1, 1]."""
        rows = torch.randint(len(self.images), (count,))
        images = self.images[rows].permute(0, 3, 1, 2).float() / 127.5 - 1.0
        return images.contiguous(memory_format=self.layout), self.labels[rows]


def hide(labels: torch.Tensor, hyper: dict[str, Any]) -> torch.Tensor:
    others = [hyper["null_chance_others"]] * max(labels.shape[1] - 1, 0)
    chances = torch.tensor([hyper["null_chance"], *others][: labels.shape[1]])
    return labels.masked_fill(torch.rand(labels.shape) < chances, -1)


def descend(optimiser: torch.optim.Optimizer, network: nn.Module, loss: torch.Tensor) -> None:
    """Only this network's gradients are made: `backward` would make the other's as well."""
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimiser.step()


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
