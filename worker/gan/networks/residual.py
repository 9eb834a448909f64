"""The residual generator and discriminator: norm-free, conditional, sized by a recipe.

After R3GAN (Huang et al. 2024, arXiv 2501.05441), written from the paper: residual blocks without
normalisation whose last convolution starts at zero (Fixup, Zhang et al. 2019), bilinear changes of
resolution, and a projection discriminator for any number of attributes. The blocks are dense:
grouped 3x3 convolutions are some eighty times slower on a CPU.
"""

import itertools
from typing import Any

import keras
import tensorflow as tf

from worker.gan.networks.layers import (
    SLOPE,
    GeneratorInput,
    Projection,
    Residual,
    Shape,
    convolution,
    fixup_gain,
    he,
    seeds_of,
    upsample,
)
from worker.gan.recipe import Hyperparameters, resolutions


class ResidualGenerator(keras.Model):
    """Latents and conditions -> images in [-1, 1]."""

    def __init__(self, hyper: Hyperparameters, shape: Shape, *, seed: int = 0) -> None:
        super().__init__(dtype=shape.dtype)
        seeds = seeds_of(seed, role=0)
        dtype, widths = shape.dtype, hyper.generator_widths
        self.latent = hyper.latent
        self.sides = resolutions(shape.size)
        gain = fixup_gain(len(widths) * hyper.blocks)
        self.told = GeneratorInput(shape, hyper.embedding, seeds=seeds)
        self.start = keras.layers.Dense(
            self.sides[0] ** 2 * widths[0], kernel_initializer=he(next(seeds)), dtype=dtype
        )
        self.blocks = [
            [Residual(w, gain=gain, seed=next(seeds), dtype=dtype) for _ in range(hyper.blocks)]
            for w in widths
        ]
        self.narrow = [
            convolution(w, 1, seed=next(seeds), dtype=dtype) if w != before else None
            for before, w in itertools.pairwise(widths)
        ]
        self.colour = convolution(shape.channels, 3, seed=next(seeds), gain=0.5, dtype=dtype)
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
        x = self.start(self.told(latents, labels, colours, ramp=ramp))
        x = tf.reshape(x, (-1, self.sides[0], self.sides[0], self.blocks[0][0].gather.filters))
        for block in self.blocks[0]:
            x = block(x)
        for side, narrow, blocks in zip(self.sides[1:], self.narrow, self.blocks[1:], strict=True):
            x = upsample(narrow(x) if narrow else x, side)
            for block in blocks:
                x = block(x)
        return tf.tanh(tf.cast(self.colour(x), tf.float32))


class ResidualDiscriminator(keras.Model):
    """Images and conditions -> one number each, higher for more real."""

    def __init__(self, hyper: Hyperparameters, shape: Shape, *, seed: int = 0) -> None:
        super().__init__(dtype=shape.dtype)
        seeds = seeds_of(seed, role=1)
        dtype, widths = shape.dtype, hyper.discriminator_widths
        gain = fixup_gain(len(widths) * hyper.blocks)
        self.stem = convolution(widths[0], 3, seed=next(seeds), dtype=dtype)
        self.blocks = [
            [Residual(w, gain=gain, seed=next(seeds), dtype=dtype) for _ in range(hyper.blocks)]
            for w in widths
        ]
        self.widen = [
            convolution(w, 1, seed=next(seeds), dtype=dtype) if w != before else None
            for before, w in itertools.pairwise(widths)
        ]
        self.features = keras.layers.Dense(
            hyper.features, kernel_initializer=he(next(seeds)), dtype=dtype
        )
        self.verdict = Projection(shape, hyper.features, seeds=seeds)
        self(tf.zeros((1, shape.size, shape.size, shape.channels)), *shape.blank())

    def call(
        self, images: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor,
        ramp: Any = 1.0, training: bool = False,  # noqa: FBT001, FBT002 - Keras' own
    ) -> tf.Tensor:  # fmt: skip
        """[n, size, size, channels], [n, attributes], [n, slots, 3] -> [n], float32."""
        return self.verdict(self.features_of(images, training=training), labels, colours, ramp=ramp)

    def features_of(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:  # noqa: ARG002 - others drop out
        """[n, size, size, channels] -> [n, features], whatever the conditions."""
        x = self.stem(tf.nn.space_to_depth(tf.cast(images, self.compute_dtype), 2))
        for block in self.blocks[0]:
            x = block(x)
        for widen, blocks in zip(self.widen, self.blocks[1:], strict=True):
            x = tf.nn.avg_pool2d(x, 2, 2, "SAME")
            x = widen(x) if widen else x
            for block in blocks:
                x = block(x)
        x = tf.nn.leaky_relu(x, SLOPE)
        return self.features(tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3])))
