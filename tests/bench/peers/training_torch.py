"""One training step of the peers, the same work as worker/gan makes of its settings."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as fn

KEPT = 0.99
"""Share of the averaged generator that a step keeps; which share costs the same."""


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


class Training:
    """Both networks, the averaged generator, both optimisers, and the step over them."""

    def __init__(
        self, hyper: dict[str, Any], networks: tuple[nn.Module, nn.Module, nn.Module],
        catalog: Catalog, *, halves: bool = False,
    ) -> None:  # fmt: skip
        self.hyper, self.catalog, self.halves = hyper, catalog, halves
        self.generator, self.discriminator, self.average = networks
        self.average.load_state_dict(self.generator.state_dict())
        for network in networks:
            network.to(memory_format=catalog.layout)
        beta = hyper.get("beta_1", 0.0)
        betas = (beta, 0.99 if beta == 0 else 0.999)
        self.optimisers = [
            torch.optim.Adam(network.parameters(), hyper["learning_rate"], betas, 1e-8)
            for network in (self.generator, self.discriminator)
        ]
        self.relativistic = hyper.get("loss", "relativistic") == "relativistic"
        self.steps = 0

    def step(self) -> None:
        """The discriminator first, then the generator against it; one generator pass for both."""
        real, labels = self.catalog.batch(self.hyper["batch"])
        labels = hide(labels, self.hyper)
        latents = torch.randn(len(real), self.hyper["latent"])
        with self._precision():
            generated = self.generator(latents, labels).float()
        self._train_discriminator(real, generated.detach(), labels)
        with torch.no_grad(), self._precision():
            of_real, _ = self._judge(real, labels)
        with self._precision():
            of_generated, other = self._judge(generated, labels)
        loss = fn.softplus((of_real if self.relativistic else 0.0) - of_generated).mean()
        descend(self.optimisers[0], self.generator, loss + self._mismatch(of_generated, other))
        self._average()
        self.steps += 1

    def _train_discriminator(
        self, real: torch.Tensor, generated: torch.Tensor, labels: torch.Tensor
    ) -> None:
        both = torch.cat([real, generated])
        penalised = self.hyper["gamma"] > 0 and self.steps % self._every == 0
        if penalised:
            both.requires_grad_()
        # Slopes are float32, as ours are.
        with self._precision(exact=penalised):
            logits, other = self._judge(both, torch.cat([labels, labels]))
        of_real, of_generated = logits.chunk(2)
        if self.relativistic:
            loss = fn.softplus(of_generated - of_real).mean()
        else:
            loss = fn.softplus(-of_real).mean() + fn.softplus(of_generated).mean()
        loss = loss + self._mismatch(of_real, other.chunk(2)[0])
        if penalised:
            (slopes,) = torch.autograd.grad(logits.sum(), both, create_graph=True)
            penalty = slopes.square().sum((1, 2, 3)).view(2, -1).mean(1).sum()
            loss = loss + 0.5 * self.hyper["gamma"] * self._every * penalty
        descend(self.optimisers[1], self.discriminator, loss)

    def _precision(self, *, exact: bool = False) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.halves and not exact)

    @property
    def _every(self) -> int:
        return int(self.hyper.get("penalty_every", 1))

    def _judge(
        self, images: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits with the images' own labels, and with their neighbours'."""
        features = self.discriminator.features_of(images)
        logits = self.discriminator.verdict(features, labels).float()
        if not self.hyper.get("match"):
            return logits, logits
        return logits, self.discriminator.verdict(features, labels.roll(1, 0)).float()

    def _mismatch(self, right: torch.Tensor, wrong: torch.Tensor) -> torch.Tensor | float:
        weight = self.hyper.get("match", 0.0)
        return weight * fn.softplus(wrong - right).mean() if weight else 0.0

    def _average(self) -> None:
        with torch.no_grad():
            kept, new = list(self.average.parameters()), list(self.generator.parameters())
            torch._foreach_lerp_(kept, new, 1.0 - KEPT)
            for old, now in zip(self.average.buffers(), self.generator.buffers(), strict=True):
                old.copy_(now)


def hide(labels: torch.Tensor, hyper: dict[str, Any]) -> torch.Tensor:
    """Make some labels unknown, each attribute with its own chance."""
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
