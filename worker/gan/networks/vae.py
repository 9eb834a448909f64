"""A convolutional, conditional variational autoencoder (Kingma & Welling 2013), for comparison.

The decoder is the generator of this preset, so that a release of it is used like any other.
"""

from typing import Any

import keras
import tensorflow as tf

from worker.gan.networks.layers import (
    SLOPE,
    GeneratorInput,
    Shape,
    convolution,
    he,
    lecun,
    seeds_of,
    upsample,
)
from worker.gan.recipe import Hyperparameters, resolutions


class Decoder(keras.Model):
    """Latents and conditions -> images in [-1, 1]."""

    def __init__(self, hyper: Hyperparameters, shape: Shape, *, seed: int = 0) -> None:
        super().__init__(dtype=shape.dtype)
        seeds = seeds_of(seed, role=0)
        self.latent = hyper.latent
        self.sides = resolutions(shape.size)
        widths = hyper.generator_widths
        self.told = GeneratorInput(shape, hyper.embedding, seeds=seeds)
        self.start = keras.layers.Dense(
            self.sides[0] ** 2 * widths[0], kernel_initializer=he(next(seeds)), dtype=shape.dtype
        )
        self.rise = [convolution(w, 3, seed=next(seeds), dtype=shape.dtype) for w in widths]
        self.colour = convolution(shape.channels, 3, seed=next(seeds), gain=0.5, dtype=shape.dtype)
        self(tf.zeros((1, hyper.latent)), *shape.blank())

    @property
    def first_kernel(self) -> Any:
        """The first dense layer's weights, [latent + embeddings, units]."""
        return self.start.kernel

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor,
        ramp: Any = 1.0, training: bool = False,  # noqa: ARG002, FBT001, FBT002 - Keras' own
    ) -> tf.Tensor:  # fmt: skip
        """[n, latent], [n, attributes], [n, slots, 3] -> [n, size, size, channels], float32."""
        x = tf.nn.leaky_relu(self.start(self.told(latents, labels, colours, ramp=ramp)), SLOPE)
        x = tf.reshape(x, (-1, self.sides[0], self.sides[0], x.shape[1] // self.sides[0] ** 2))
        for side, rise in zip(self.sides, self.rise, strict=True):
            x = x if side == self.sides[0] else upsample(x, side)
            x = tf.nn.leaky_relu(rise(x), SLOPE)
        return tf.tanh(tf.cast(self.colour(x), tf.float32))


class Encoder(keras.Model):
    """Images and conditions -> mean and log-variance of the latents that may have made them."""

    def __init__(self, hyper: Hyperparameters, shape: Shape, *, seed: int = 0) -> None:
        super().__init__(dtype=shape.dtype)
        seeds = seeds_of(seed, role=1)
        self.fall = [
            convolution(w, 3, seed=next(seeds), dtype=shape.dtype)
            for w in hyper.discriminator_widths
        ]
        self.told = GeneratorInput(shape, hyper.embedding, seeds=seeds)
        self.mix = keras.layers.Dense(
            hyper.features, kernel_initializer=he(next(seeds)), dtype=shape.dtype
        )
        self.tell = keras.layers.Dense(
            2 * hyper.latent, kernel_initializer=lecun(next(seeds)), dtype=shape.dtype
        )
        side = shape.size
        for _ in self.fall:
            side = -(-side // 2)
        self.pictured = side**2 * hyper.discriminator_widths[-1]
        self(tf.zeros((1, shape.size, shape.size, shape.channels)), *shape.blank())

    @property
    def first_kernel(self) -> Any:
        """The weights that mix picture and conditions, [pictured + embeddings, units]."""
        return self.mix.kernel

    def call(
        self, images: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor,
        ramp: Any = 1.0, training: bool = False,  # noqa: ARG002, FBT001, FBT002 - Keras' own
    ) -> tf.Tensor:  # fmt: skip
        """[n, size, size, channels], [n, attributes], [n, slots, 3] -> [n, 2 * latent], float32."""
        x = tf.cast(images, self.compute_dtype)
        for fall in self.fall:
            x = tf.nn.avg_pool2d(tf.nn.leaky_relu(fall(x), SLOPE), 2, 2, "SAME")
        x = tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3]))
        x = tf.nn.leaky_relu(self.mix(self.told(x, labels, colours, ramp=ramp)), SLOPE)
        return tf.cast(self.tell(x), tf.float32)
