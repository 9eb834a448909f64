"""An encoder fitted to one release: a picture in, the latent and labels that might have made it.

It learns from the release alone: what the generator paints from drawn latents comes with its
latents. So it needs no catalog, and it knows the release's own domain and nothing else.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.colour import srgb_to_lab
from worker.gan.explore.ports import Painter, labels_of

POOL = 1024
"""Label combinations drawn once; batches take theirs from here."""

NOISE = 0.05
"""Standard deviation of what is added to generated images, in [-1, 1]: pictures from outside are
never quite the generator's own."""

SMALLEST_SIDE = 8

SLOPE = 0.2

_COLOUR_STREAM = 1
"""The encoder's own weights use stream 0 of a seed."""


class Encoder(keras.Model):
    """Images in [-1, 1] -> latents, a score a label value, and a map of features."""

    def __init__(self, painter: Painter, *, seed: int) -> None:
        super().__init__()
        self.values = [len(values) for values in painter.vocabulary.values()]
        sides = [painter.size // 2]
        while sides[-1] > SMALLEST_SIDE:
            sides.append(-(-sides[-1] // 2))
        widths = [min(96, 32 << stage) for stage in range(len(sides) + 1)]
        seeds = iter(np.random.SeedSequence([seed, 0]).generate_state(len(widths) + 3).tolist())
        self.stages = [
            _convolution(w, 1 + (0 < i < len(sides)), next(seeds)) for i, w in enumerate(widths)
        ]
        self.hidden = _dense(256, next(seeds))
        self.latents = _dense(painter.latent, next(seeds))
        self.scores = _dense(sum(self.values), next(seeds)) if self.values else None
        made = self(tf.zeros((1, painter.size, painter.size, painter.channels)))
        self.features_shape = (None, *made[2].shape[1:])

    def call(
        self,
        images: tf.Tensor,
        training: bool = False,  # noqa: ARG002, FBT001, FBT002 - Keras' own signature
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """[n, size, size, channels] -> [n, latent], [n, all values], [n, side, side, width].

        Scores are logits, the attributes' values side by side. Features have unit length at each
        place, so that a distance between two of them is from 0 to 4.
        """
        x = tf.nn.space_to_depth(images, 2)
        for stage in self.stages:
            x = tf.nn.leaky_relu(stage(x), SLOPE)
        features = x * tf.math.rsqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True) + 1e-6)
        flat = tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3]))
        hidden = tf.nn.leaky_relu(self.hidden(flat), SLOPE)
        scores = self.scores(hidden) if self.scores else tf.zeros((tf.shape(hidden)[0], 0))
        return self.latents(hidden), scores, features


def fit(painter: Painter, *, steps: int, batch: int, rate: float, seed: int) -> Encoder:
    """Train an encoder on what the release paints.

    Args:
        painter: a loaded release.
        steps: updates.
        batch: generated images in each.
        rate: Adam's learning rate at the start; it falls to nothing along half a cosine.
        seed: of the weights and of every draw; the same seed gives the same encoder.
    """
    encoder = Encoder(painter, seed=seed)
    optimiser = keras.optimizers.Adam(rate, beta_2=0.99)
    optimiser.build(encoder.trainable_variables)
    update = tf.function(_Update(painter, encoder, optimiser, batch=batch, seed=seed))
    for step in range(steps):
        falling = rate * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        update(tf.constant([seed, step], tf.int32), tf.constant(falling, tf.float32))
    return encoder


class _Update:
    """One step: paint a batch, guess its latents and labels, learn from the difference."""

    def __init__(
        self, painter: Painter, encoder: Encoder, optimiser: Any, *, batch: int, seed: int
    ) -> None:
        self._painter = painter
        self._encoder = encoder
        self._optimiser = optimiser
        self._batch = batch
        pool = range(seed, seed + POOL) if painter.vocabulary else range(1)
        self._labels = tf.constant(labels_of(painter, pool, {}))
        self._colours = tf.constant(_drawn_colours(len(pool), painter.slots, seed))

    def __call__(self, draw: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        seeds = tf.unstack(tf.random.experimental.stateless_split(draw, 3))
        points, labels, colours = self._drawn(seeds[0], seeds[1])
        images = tf.stop_gradient(self._painter.network(points, labels, colours, training=False))
        grain = tf.random.stateless_normal(tf.shape(images), seeds[2])
        with tf.GradientTape() as tape:
            guessed, scores, _ = self._encoder(images + NOISE * grain, training=True)
            loss = tf.reduce_mean(tf.square(points - guessed))
            loss += _label_loss(scores, labels, self._encoder.values)
        self._optimiser.learning_rate.assign(rate)
        gradients = tape.gradient(loss, self._encoder.trainable_variables)
        self._optimiser.apply(gradients, self._encoder.trainable_variables)
        return loss

    def _drawn(self, latent: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        shape = (self._batch, self._painter.latent)
        points = tf.random.stateless_normal(shape, latent)
        rows = tf.random.stateless_uniform(
            (self._batch,), place, 0, self._labels.shape[0], tf.int32
        )
        return points, tf.gather(self._labels, rows), tf.gather(self._colours, rows)


def _label_loss(scores: tf.Tensor, labels: tf.Tensor, values: Sequence[int]) -> tf.Tensor:
    """Mean cross-entropy over the attributes; an unknown label counts nothing."""
    losses = [tf.zeros(())]
    for place, part in enumerate(tf.split(scores, values, axis=1) if values else []):
        told = tf.one_hot(labels[:, place], part.shape[1])
        losses.append(-tf.reduce_mean(tf.reduce_sum(told * tf.nn.log_softmax(part), axis=1)))
    return tf.add_n(losses) / max(1, len(values))


def _drawn_colours(count: int, slots: int, seed: int) -> NDArray[np.float32]:
    """Any colour a screen can show; a quarter of the slots are unknown."""
    draw = np.random.default_rng([seed, _COLOUR_STREAM])
    colours = srgb_to_lab(draw.integers(0, 256, (count, slots, 3), np.uint8))
    colours[draw.random((count, slots)) < 0.25] = np.nan  # noqa: PLR2004 - as said above
    return colours


def _convolution(width: int, stride: int, seed: int) -> Any:
    start = keras.initializers.HeNormal(seed=seed)
    return keras.layers.Conv2D(width, 3, stride, padding="same", kernel_initializer=start)


def _dense(width: int, seed: int) -> Any:
    return keras.layers.Dense(width, kernel_initializer=keras.initializers.LecunNormal(seed=seed))
