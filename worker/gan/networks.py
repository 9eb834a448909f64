"""The residual generator and discriminator: norm-free, conditional, sized by a recipe.

After R3GAN (Huang et al. 2024, arXiv 2501.05441), written from the paper: residual blocks without
normalisation whose last convolution starts at zero (Fixup, Zhang et al. 2019), bilinear changes of
resolution, and a projection discriminator (Miyato & Koyama 2018) for any number of attributes.
The blocks are dense: grouped 3x3 convolutions are some eighty times slower on a CPU.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from worker.gan.recipe import Hyperparameters, resolutions

SLOPE = 0.2
"""Of the leaky rectifier below zero."""

MOST_LAYERS = 1024
"""More seeds than any network here has layers."""


class Residual(keras.layers.Layer):
    """x + W1x1 · lrelu(W3x3 · x + b): the identity at first, because W1x1 starts at zero."""

    def __init__(self, width: int, *, gain: float, seed: int, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.spread = convolution(width, 3, seed=seed, gain=gain, dtype=dtype)
        self.gather = keras.layers.Conv2D(
            width, 1, use_bias=False, kernel_initializer="zeros", dtype=dtype
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[n, h, w, width] -> the same shape."""
        return x + self.gather(tf.nn.leaky_relu(self.spread(x), SLOPE))


class Conditions(keras.layers.Layer):
    """One embedding table an attribute; row 0 is NULL, for a label that is unknown or not asked.

    The lookup is a product with a one-hot matrix: its gradient is dense and sums in a fixed
    order, so a resumed training repeats bit for bit.
    """

    def __init__(
        self, values: Sequence[int], width: int, *, seeds: Iterator[int], dtype: str
    ) -> None:
        super().__init__(dtype=dtype)
        self.tables = [
            self.add_weight(
                shape=(count + 1, width),
                initializer=keras.initializers.RandomNormal(stddev=1.0, seed=next(seeds)),
                name=f"table_{position}",
            )
            for position, count in enumerate(values)
        ]

    def call(self, labels: tf.Tensor) -> list[tf.Tensor]:
        """[n, attributes] with -1 for unknown -> one [n, width] an attribute."""
        hot = [
            tf.one_hot(labels[:, position] + 1, table.shape[0], dtype=self.compute_dtype)
            for position, table in enumerate(self.tables)
        ]
        return [h @ tf.cast(t, self.compute_dtype) for h, t in zip(hot, self.tables, strict=True)]


class GeneratorNetwork(keras.Model):
    """Latents and labels -> images in [-1, 1]."""

    def __init__(
        self,
        hyper: Hyperparameters,
        *,
        size: int,
        channels: int,
        values: Sequence[int],
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        super().__init__(dtype=dtype)
        seeds = _seeds(seed, role=0)
        self.sides = resolutions(size)
        widths = hyper.generator_widths
        gain = fixup_gain(len(widths) * hyper.blocks)
        self.conditions = Conditions(values, hyper.embedding, seeds=seeds, dtype=dtype)
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
        self.paint = convolution(channels, 3, seed=next(seeds), gain=0.5, dtype=dtype)
        self(tf.zeros((1, hyper.latent)), tf.zeros((1, len(values)), tf.int32))

    def call(self, latents: tf.Tensor, labels: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: ARG002, FBT001, FBT002 - Keras' own signature
        """[n, latent] and [n, attributes] -> [n, size, size, channels], float32."""
        x = tf.concat([tf.cast(latents, self.compute_dtype), *self.conditions(labels)], axis=1)
        x = self.start(x)
        x = tf.reshape(x, (-1, self.sides[0], self.sides[0], self.blocks[0][0].gather.filters))
        for block in self.blocks[0]:
            x = block(x)
        for side, narrow, blocks in zip(self.sides[1:], self.narrow, self.blocks[1:], strict=True):
            x = upsample(narrow(x) if narrow else x, side)
            for block in blocks:
                x = block(x)
        return tf.tanh(tf.cast(self.paint(x), tf.float32))


class DiscriminatorNetwork(keras.Model):
    """Images and labels -> one number each, higher for more real."""

    def __init__(
        self,
        hyper: Hyperparameters,
        *,
        size: int,
        channels: int,
        values: Sequence[int],
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        super().__init__(dtype=dtype)
        seeds = _seeds(seed, role=1)
        widths = hyper.discriminator_widths
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
        self.verdict = keras.layers.Dense(1, kernel_initializer=lecun(next(seeds)), dtype=dtype)
        self.conditions = Conditions(values, hyper.features, seeds=seeds, dtype=dtype)
        self(tf.zeros((1, size, size, channels)), tf.zeros((1, len(values)), tf.int32))

    def call(self, images: tf.Tensor, labels: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: ARG002, FBT001, FBT002 - Keras' own signature
        """[n, size, size, channels] and [n, attributes] -> [n], float32."""
        features = self.features_of(images)
        logit = tf.cast(self.verdict(features)[:, 0], tf.float32)
        scale = features.shape[1] ** -0.5
        for position, row in enumerate(self.conditions(labels)):
            known = tf.cast(labels[:, position] >= 0, tf.float32)
            logit += known * scale * tf.reduce_sum(tf.cast(features * row, tf.float32), axis=1)
        return logit

    def features_of(self, images: tf.Tensor) -> tf.Tensor:
        """[n, size, size, channels] -> [n, features], whatever the labels."""
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


def _seeds(seed: int, *, role: int) -> Iterator[int]:
    """Yield one seed a layer, unrelated between layers, networks and trainings."""
    return iter(np.random.SeedSequence([seed, role]).generate_state(MOST_LAYERS).tolist())


def fixup_gain(blocks: int) -> float:
    """L^(-1/(2m-2)) for L blocks of m = 2 convolutions (Zhang et al. 2019, arXiv 1901.09321)."""
    return float(blocks**-0.5)


def upsample(x: tf.Tensor, side: int) -> tf.Tensor:
    """Bilinear. Measured on a CPU: a third of the time of slices, matrices or convolutions."""
    return tf.cast(tf.image.resize(x, (side, side)), x.dtype)


def he(seed: int, gain: float = 1.0) -> Any:
    """Spread for a layer that a leaky rectifier follows or leads."""
    scale = 2.0 * gain**2 / (1.0 + SLOPE**2)
    return keras.initializers.VarianceScaling(scale, "fan_in", "truncated_normal", seed=seed)


def lecun(seed: int) -> Any:
    """Spread for a layer with no rectifier."""
    return keras.initializers.LecunNormal(seed=seed)


def convolution(width: int, kernel: int, *, seed: int, gain: float = 1.0, dtype: str) -> Any:
    """Stride 1, same size; 1x1 ones have no bias because a biased layer always follows."""
    return keras.layers.Conv2D(
        width,
        kernel,
        padding="same",
        use_bias=kernel > 1,
        kernel_initializer=he(seed, gain) if kernel > 1 else lecun(seed),
        dtype=dtype,
    )
