"""What the networks of all presets are built from: conditions, residual blocks, initial spreads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

SLOPE = 0.2
"""Of the leaky rectifier below zero."""

MOST_LAYERS = 1024
"""More seeds than any network here has layers."""

COLOUR_UNITS = 64
"""Hidden units that a colour is told through: enough to bend where colours change their names."""

LAB_CENTRE, LAB_REACH = (50.0, 0.0, 0.0), (50.0, 64.0, 64.0)
"""CIELAB is brought to about -1..1: L is 0..100, a and b of cloth rarely pass 64 either way."""


@dataclass(frozen=True)
class Shape:
    """What the networks of one training have in common.

    Attributes:
        size: side of the images in px; divides by four.
        channels: 1 or 3.
        values: for each label attribute, how many values it has.
        slots: colours in a condition, 0 or 2 (main and second).
        dtype: Keras' dtype policy.
    """

    size: int
    channels: int
    values: tuple[int, ...]
    slots: int = 0
    dtype: str = "float32"

    def blank(self, count: int = 1) -> tuple[tf.Tensor, tf.Tensor]:
        """Return labels and colours that say nothing, for so many images."""
        labels = tf.fill((count, len(self.values)), -1)
        return labels, tf.fill((count, self.slots, 3), float("nan"))


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


class Colours(keras.layers.Layer):
    """Colours as a continuous condition: CIELAB and whether it is known -> an embedding."""

    def __init__(self, width: int, *, seeds: Iterator[int], dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.mix = keras.layers.Dense(COLOUR_UNITS, kernel_initializer=he(next(seeds)), dtype=dtype)
        self.tell = keras.layers.Dense(width, kernel_initializer=lecun(next(seeds)), dtype=dtype)

    def call(self, colours: tf.Tensor) -> tf.Tensor:
        """[n, slots, 3] CIELAB, NaN for unknown -> [n, width]."""
        known = is_known(colours)
        scaled = (colours - LAB_CENTRE) / LAB_REACH
        numbers = tf.where(known[..., tf.newaxis], scaled, 0.0)
        flags = tf.cast(known, numbers.dtype)[..., tf.newaxis]
        flat = tf.concat([numbers, flags], axis=2)
        flat = tf.reshape(flat, (-1, colours.shape[1] * 4))
        told: tf.Tensor = self.tell(tf.nn.leaky_relu(self.mix(flat), SLOPE))
        return told


class GeneratorInput(keras.layers.Layer):
    """Latents and conditions, side by side, as every generator starts from."""

    def __init__(self, shape: Shape, embedding: int, *, seeds: Iterator[int]) -> None:
        super().__init__(dtype=shape.dtype)
        self.conditions = Conditions(shape.values, embedding, seeds=seeds, dtype=shape.dtype)
        self.colours = Colours(embedding, seeds=seeds, dtype=shape.dtype) if shape.slots else None

    def call(
        self, latents: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor, ramp: Any = 1.0
    ) -> tf.Tensor:
        """[n, latent], [n, attributes], [n, slots, 3] -> [n, latent + embeddings].

        Args:
            latents: standard normal.
            labels: -1 for unknown or not asked.
            colours: CIELAB, NaN for unknown or not asked.
            ramp: how much of the conditions counts, 0..1.
        """
        told = list(self.conditions(labels))
        if self.colours is not None:
            told.append(self.colours(colours))
        strength = tf.cast(ramp, self.compute_dtype)
        return tf.concat(
            [tf.cast(latents, self.compute_dtype), *[strength * part for part in told]], axis=1
        )


class Projection(keras.layers.Layer):
    """A discriminator's verdict from features and conditions.

    The projection discriminator (Miyato & Koyama 2018, arXiv 1802.05637) for any number of
    attributes: v · phi + sum over what is known of <phi, embedding>.
    """

    def __init__(self, shape: Shape, width: int, *, seeds: Iterator[int]) -> None:
        super().__init__(dtype=shape.dtype)
        self.verdict = keras.layers.Dense(
            1, kernel_initializer=lecun(next(seeds)), dtype=shape.dtype
        )
        self.conditions = Conditions(shape.values, width, seeds=seeds, dtype=shape.dtype)
        self.colours = Colours(width, seeds=seeds, dtype=shape.dtype) if shape.slots else None

    def call(
        self, features: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor, ramp: Any = 1.0
    ) -> tf.Tensor:
        """[n, width], [n, attributes], [n, slots, 3] -> logits [n], float32."""
        logit = tf.cast(self.verdict(features)[:, 0], tf.float32)
        scale = tf.cast(ramp, tf.float32) * features.shape[1] ** -0.5
        for position, row in enumerate(self.conditions(labels)):
            known = tf.cast(labels[:, position] >= 0, tf.float32)
            logit += known * scale * tf.reduce_sum(tf.cast(features * row, tf.float32), axis=1)
        if self.colours is not None:
            known = tf.cast(is_known(colours)[:, 0], tf.float32)
            row = self.colours(colours)
            logit += known * scale * tf.reduce_sum(tf.cast(features * row, tf.float32), axis=1)
        return logit


def is_known(colours: tf.Tensor) -> tf.Tensor:
    """[n, slots, 3] -> bool [n, slots]."""
    return tf.logical_not(tf.reduce_any(tf.math.is_nan(colours), axis=2))


def seeds_of(seed: int, *, role: int) -> Iterator[int]:
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
