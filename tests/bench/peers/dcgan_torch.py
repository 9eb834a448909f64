"""The DCGAN of TensorFlow's tutorial in PyTorch: transposed convolutions and batch norm.

Generator: dense to 7x7x256 (a quarter of the side), batch norm, leaky rectifier, then transposed
5x5 convolutions to 128, 64 and the picture. Discriminator: 5x5 convolutions of stride 2 to 64 and
128 with dropout. Cross-entropy, Adam at 1e-4.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as fn

from tests.bench.peers.residual_torch import Catalog, Shape

SLOPE = 0.3
DROPPED = 0.3
WIDEST = 256


class Generator(nn.Module):
    def __init__(self, latent: int, shape: Shape) -> None:
        super().__init__()
        self.side = shape.size // 4
        self.start = nn.Linear(latent, self.side**2 * WIDEST, bias=False)
        self.start_norm = nn.BatchNorm1d(self.side**2 * WIDEST, eps=1e-3, momentum=0.01)
        self.up = nn.ModuleList([_up(WIDEST, 128, 1), _up(128, 64, 2)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(w, eps=1e-3, momentum=0.01) for w in (128, 64)])
        self.paint = _up(64, shape.channels, 2)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        x = fn.leaky_relu(self.start_norm(self.start(latents)), SLOPE)
        x = x.view(len(x), self.side, self.side, WIDEST).permute(0, 3, 1, 2)
        for up, norm in zip(self.up, self.norms, strict=True):
            x = fn.leaky_relu(norm(up(x)), SLOPE)
        return torch.tanh(self.paint(x))


class Discriminator(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(entering, width, 5, 2, padding=2)
            for entering, width in ((shape.channels, 64), (64, 128))
        )
        self.verdict = nn.Linear((shape.size // 4) ** 2 * 128, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images
        for convolution in self.convolutions:
            x = fn.dropout(fn.leaky_relu(convolution(x), SLOPE), DROPPED, self.training)
        return self.verdict(x.permute(0, 2, 3, 1).flatten(1))[:, 0]


class Training:
    """Both networks are taught from one pass of the generator, as in the tutorial."""

    def __init__(self, hyper: dict[str, Any], shape: Shape, catalog: Catalog) -> None:
        self.hyper, self.catalog = hyper, catalog
        self.generator = Generator(hyper["latent"], shape)
        self.discriminator = Discriminator(shape)
        self.optimisers = [
            torch.optim.Adam(network.parameters(), hyper["learning_rate"], (0.9, 0.999), 1e-7)
            for network in (self.generator, self.discriminator)
        ]

    def step(self) -> None:
        real, _ = self.catalog.batch(self.hyper["batch"])
        generated = self.generator(torch.randn(len(real), self.hyper["latent"]))
        of_real, of_generated = self.discriminator(real), self.discriminator(generated)
        one, zero = torch.ones_like(of_real), torch.zeros_like(of_real)
        taught = fn.binary_cross_entropy_with_logits(of_real, one)
        taught = taught + fn.binary_cross_entropy_with_logits(of_generated, zero)
        fooled = fn.binary_cross_entropy_with_logits(of_generated, one)
        parts = (self.generator, fooled), (self.discriminator, taught)
        # All gradients first: a step changes weights that the other's gradients still need.
        gradients = [
            torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
            for network, loss in parts
        ]
        for (network, _), made, optimiser in zip(parts, gradients, self.optimisers, strict=True):
            for parameter, gradient in zip(network.parameters(), made, strict=True):
                parameter.grad = gradient
            optimiser.step()


def _up(entering: int, width: int, stride: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(
        entering, width, 5, stride, padding=2, output_padding=stride - 1, bias=False
    )
