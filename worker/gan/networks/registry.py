"""The presets: which networks each is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import InvalidInputError
from worker.gan.networks.dcgan import ConvolutionalDiscriminator, ConvolutionalGenerator
from worker.gan.networks.layers import Shape
from worker.gan.networks.mlp import DenseDiscriminator, DenseGenerator
from worker.gan.networks.residual import ResidualDiscriminator, ResidualGenerator
from worker.gan.networks.vae import Decoder, Encoder
from worker.gan.recipe import Hyperparameters

Build = Callable[..., Any]
"""(hyper, shape, *, seed) -> a Keras model."""


@dataclass(frozen=True)
class Preset:
    """A family of networks.

    Attributes:
        generator: builds what a release holds.
        critic: builds what trains it: a discriminator, or the encoder of an autoencoder.
        adversarial: whether the critic judges; else it encodes.
    """

    generator: Build
    critic: Build
    adversarial: bool = True


PRESETS: Final[Mapping[str, Preset]] = {
    "residual": Preset(ResidualGenerator, ResidualDiscriminator),
    "dcgan": Preset(ConvolutionalGenerator, ConvolutionalDiscriminator),
    "mlp": Preset(DenseGenerator, DenseDiscriminator),
    "vae": Preset(Decoder, Encoder, adversarial=False),
}


def preset_of(name: str) -> Preset:
    """Return a preset by name.

    Raises:
        InvalidInputError: there is none of that name.
    """
    if name not in PRESETS:
        raise InvalidInputError(
            f"There is no preset {name!r}. Choose one of: {', '.join(PRESETS)}."
        )
    return PRESETS[name]


def build_generator(name: str, hyper: Hyperparameters, shape: Shape, *, seed: int = 0) -> Any:
    """Return a new generator of a preset."""
    return preset_of(name).generator(hyper, shape, seed=seed)
