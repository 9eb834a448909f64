"""The classic dense GAN (Goodfellow et al. 2014, arXiv 1406.2661), made conditional.

Three dense layers up with batch normalisation, two down with dropout. It is fast and coarse: a
baseline, and a first look at a catalog of small pictures.
"""

from typing import Any

import keras
import tensorflow as tf

from worker.gan.networks.layers import SLOPE, GeneratorInput, Projection, Shape, he, seeds_of
from worker.gan.recipe import Hyperparameters

DROPOUT = 0.3

MOMENTUM = 0.8
"""Of the batch statistics; Keras' 0.99 lags behind a generator that moves this fast."""


class DenseGenerator(keras.Model):
    """Latents and conditions -> images in [-1, 1]."""

    def __init__(self, hyper: Hyperparameters, shape: Shape, *, seed: int = 0) -> None:
        super().__init__(dtype=shape.dtype)
        seeds = seeds_of(seed, role=0)
        self.latent = hyper.latent
        self.picture = (shape.size, shape.size, shape.channels)
        self.told = GeneratorInput(shape, hyper.embedding, seeds=seeds)
        self.rise = [_dense(w, seed=next(seeds), dtype=shape.dtype) for w in hyper.generator_widths]
        self.norms = [
            keras.layers.BatchNormalization(momentum=MOMENTUM, dtype=shape.dtype) for _ in self.rise
        ]
        pixels = shape.size**2 * shape.channels
        self.colour = _dense(pixels, seed=next(seeds), dtype=shape.dtype)
        self(tf.zeros((1, hyper.latent)), *shape.blank())

    @property
    def first_kernel(self) -> Any:
        """The first dense layer's weights, [latent + embeddings, units]."""
        return self.rise[0].kernel

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor,
        ramp: Any = 1.0, training: bool = False,  # noqa: FBT001, FBT002 - Keras' own
    ) -> tf.Tensor:  # fmt: skip
        """[n, latent], [n, attributes], [n, slots, 3] -> [n, size, size, channels], float32."""
        x = self.told(latents, labels, colours, ramp=ramp)
        for rise, norm in zip(self.rise, self.norms, strict=True):
            x = norm(tf.nn.leaky_relu(rise(x), SLOPE), training=training)
        return tf.reshape(tf.tanh(tf.cast(self.colour(x), tf.float32)), (-1, *self.picture))


class DenseDiscriminator(keras.Model):
    """Images and conditions -> one number each, higher for more real."""

    def __init__(self, hyper: Hyperparameters, shape: Shape, *, seed: int = 0) -> None:
        super().__init__(dtype=shape.dtype)
        seeds = seeds_of(seed, role=1)
        widths = hyper.discriminator_widths
        self.fall = [_dense(w, seed=next(seeds), dtype=shape.dtype) for w in widths]
        self.drop = [
            keras.layers.Dropout(DROPOUT, seed=next(seeds) % 2**31, dtype=shape.dtype)
            for _ in widths
        ]
        self.verdict = Projection(shape, widths[-1], seeds=seeds)
        self(tf.zeros((1, shape.size, shape.size, shape.channels)), *shape.blank())

    def call(
        self, images: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor,
        ramp: Any = 1.0, training: bool = False,  # noqa: FBT001, FBT002 - Keras' own
    ) -> tf.Tensor:  # fmt: skip
        """[n, size, size, channels], [n, attributes], [n, slots, 3] -> [n], float32."""
        return self.verdict(self.features_of(images, training=training), labels, colours, ramp=ramp)

    def features_of(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """[n, size, size, channels] -> [n, features], whatever the conditions."""
        _, height, width, channels = images.shape
        x = tf.reshape(tf.cast(images, self.compute_dtype), (-1, height * width * channels))
        for fall, drop in zip(self.fall, self.drop, strict=True):
            x = drop(tf.nn.leaky_relu(fall(x), SLOPE), training=training)
        return x


def _dense(width: int, *, seed: int, dtype: str) -> Any:
    return keras.layers.Dense(width, kernel_initializer=he(seed), dtype=dtype)
