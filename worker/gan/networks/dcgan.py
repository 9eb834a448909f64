"""The convolutional GAN of TensorFlow's tutorial, made conditional: the familiar peer.

After Radford et al. 2015 (arXiv 1511.06434) in the tutorial's sizes: transposed 5x5 convolutions
with batch normalisation up, strided 5x5 convolutions with dropout down. At 28 px it is the
tutorial's; larger images get more stages of the same kind.
"""

from typing import Any

import keras
import tensorflow as tf

from worker.gan.networks.layers import GeneratorInput, Projection, Shape, seeds_of
from worker.gan.recipe import Hyperparameters, resolutions

SLOPE = 0.3
"""Keras' own leaky rectifier, as the tutorial has it."""

KERNEL = 5

DROPOUT = 0.3


class ConvolutionalGenerator(keras.Model):
    """Latents and conditions -> images in [-1, 1]."""

    def __init__(self, hyper: Hyperparameters, shape: Shape, *, seed: int = 0) -> None:
        super().__init__(dtype=shape.dtype)
        seeds = seeds_of(seed, role=0)
        self.latent = hyper.latent
        self.sides = resolutions(shape.size)
        widths = hyper.generator_widths
        self.told = GeneratorInput(shape, hyper.embedding, seeds=seeds)
        self.start = keras.layers.Dense(
            self.sides[0] ** 2 * widths[0], use_bias=False, dtype=shape.dtype,
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
        )  # fmt: skip
        self.first_norm = keras.layers.BatchNormalization(dtype=shape.dtype)
        self.rise = [
            _transposed(width, stride, seed=next(seeds), dtype=shape.dtype)
            for width, stride in zip(widths[1:], _strides(len(self.sides)), strict=True)
        ]
        self.norms = [keras.layers.BatchNormalization(dtype=shape.dtype) for _ in self.rise]
        self.colour = _transposed(shape.channels, 2, seed=next(seeds), dtype=shape.dtype)
        self(tf.zeros((1, hyper.latent)), *shape.blank())

    @property
    def first_kernel(self) -> Any:
        """The first dense layer's weights, [latent + embeddings, units]."""
        return self.start.kernel

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor,
        ramp: Any = 1.0, training: bool = False,  # noqa: FBT001, FBT002 - Keras' own
    ) -> tf.Tensor:  # fmt: skip
        """[n, latent], [n, attributes], [n, slots, 3] -> [n, size, size, channels], float32."""
        x = self.start(self.told(latents, labels, colours, ramp=ramp))
        x = tf.nn.leaky_relu(self.first_norm(x, training=training), SLOPE)
        x = tf.reshape(x, (-1, self.sides[0], self.sides[0], x.shape[1] // self.sides[0] ** 2))
        for side, rise, norm in zip(self.sides[:-1], self.rise, self.norms, strict=True):
            x = tf.nn.leaky_relu(norm(rise(x)[:, :side, :side], training=training), SLOPE)
        x = self.colour(x)[:, : self.sides[-1], : self.sides[-1]]
        return tf.tanh(tf.cast(x, tf.float32))


class ConvolutionalDiscriminator(keras.Model):
    """Images and conditions -> one number each, higher for more real."""

    def __init__(self, hyper: Hyperparameters, shape: Shape, *, seed: int = 0) -> None:
        super().__init__(dtype=shape.dtype)
        seeds = seeds_of(seed, role=1)
        self.fall = [
            keras.layers.Conv2D(
                width, KERNEL, strides=2, padding="same", dtype=shape.dtype,
                kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            )
            for width in hyper.discriminator_widths
        ]  # fmt: skip
        self.drop = [
            keras.layers.Dropout(DROPOUT, seed=next(seeds) % 2**31, dtype=shape.dtype)
            for _ in self.fall
        ]
        side = shape.size
        for _ in self.fall:
            side = -(-side // 2)
        width = side**2 * hyper.discriminator_widths[-1]
        self.verdict = Projection(shape, width, seeds=seeds)
        self(tf.zeros((1, shape.size, shape.size, shape.channels)), *shape.blank())

    def call(
        self, images: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor,
        ramp: Any = 1.0, training: bool = False,  # noqa: FBT001, FBT002 - Keras' own
    ) -> tf.Tensor:  # fmt: skip
        """[n, size, size, channels], [n, attributes], [n, slots, 3] -> [n], float32."""
        return self.verdict(self.features_of(images, training=training), labels, colours, ramp=ramp)

    def features_of(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """[n, size, size, channels] -> [n, features], whatever the conditions."""
        x = tf.cast(images, self.compute_dtype)
        for fall, drop in zip(self.fall, self.drop, strict=True):
            x = drop(tf.nn.leaky_relu(fall(x), SLOPE), training=training)
        return tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3]))


def _strides(stages: int) -> list[int]:
    """The tutorial's first transposed convolution keeps the side; the others double it."""
    return [1, *[2] * (stages - 2)]


def _transposed(width: int, stride: int, *, seed: int, dtype: str) -> Any:
    return keras.layers.Conv2DTranspose(
        width, KERNEL, strides=stride, padding="same", use_bias=False, dtype=dtype,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
    )  # fmt: skip
