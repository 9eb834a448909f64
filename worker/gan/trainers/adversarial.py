"""A generator against a discriminator: one update of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from worker.gan import losses
from worker.gan.augment import augment
from worker.gan.data import Dataset
from worker.gan.trainers.base import Batch, Settings, Trainer

PAIRS = {
    "relativistic": (losses.relativistic_discriminator, losses.relativistic_generator),
    "saturating-free": (losses.plain_discriminator, losses.plain_generator),
}

PROBED = 256
"""Garments of each kind that a probe looks at; it need not be exact, only unbiased."""


class AdversarialTrainer(Trainer):
    """One generator pass serves both updates.

    The discriminator that teaches is the updated one: updating both from the same logits measured
    worse.
    """

    critic_name: ClassVar[str] = "discriminator"
    names: ClassVar[tuple[str, ...]] = (
        "discriminator",
        "generator",
        "real_slope",
        "generated_slope",
        "margin",
        "discriminator_gradient",
        "generator_gradient",
        "colour",
    )

    def probe(self, number: int, heldout: Dataset, *, settings: Settings) -> dict[str, float]:
        """Return the mean logits of `seen`, `held_out` and `generated` garments.

        Deterministic in (seed, number): which garments and latents, and how they are augmented.
        """
        key = np.array([self.seed, number], np.uint64)
        chance = np.random.Generator(np.random.Philox(key=key))
        seen = self._some(self.dataset, self.rows, chance)
        unseen = self._some(heldout, np.arange(heldout.n), chance)
        draw = self._draw_of(number, stream=1)
        judged = self._probe(draw, settings.packed(), *seen, *unseen).numpy()
        return dict(zip(("seen", "held_out", "generated"), judged.tolist(), strict=True))

    @staticmethod
    def _some(dataset: Dataset, among: NDArray[np.intp], chance: Any) -> tuple[tf.Tensor, ...]:
        rows = np.sort(chance.choice(among, PROBED))
        images = dataset.frame.inward(dataset.images[rows])
        labels, colours = dataset.label_matrix()[rows], dataset.colour_matrix()[rows]
        return tf.constant(images), tf.constant(labels), tf.constant(colours)

    @property
    def _probe(self) -> Any:
        if not hasattr(self, "_probe_traced"):
            self._probe_traced = tf.function(self._mean_logits)
        return self._probe_traced

    def _mean_logits(self, draw: tf.Tensor, packed: tf.Tensor, *garments: tf.Tensor) -> tf.Tensor:
        settings = Settings(*tf.unstack(packed))
        latents = tf.random.stateless_normal((PROBED, self.hyper.latent), draw)
        labels, colours = garments[1], garments[2]
        generated = self.generator(latents, labels, colours, settings.ramp, training=False)
        kinds = [garments[:3], garments[3:], (generated, labels, colours)]
        means = []
        for images, told, tinted in kinds:
            scaled = images if images.dtype.is_floating else _scaled(images)
            changed = augment(scaled, draw, self.hyper, settings.chance)
            logits = self.critic(changed, told, tinted, settings.ramp, training=False)
            means.append(tf.reduce_mean(logits))
        return tf.stack(means)

    def _update(
        self, batch: Batch, draw: tf.Tensor, settings: Settings, *, penalised: bool
    ) -> tf.Tensor:
        seeds = tf.unstack(tf.random.experimental.stateless_split(draw, 3))
        latents = tf.random.stateless_normal((self.local_batch, self.hyper.latent), seeds[0])
        conditions = (batch.labels, batch.colours, settings.ramp)
        _, please = PAIRS[self.hyper.loss]
        with tf.GradientTape() as tape:
            generated = self.generator(latents, *conditions, training=True)
            with tape.stop_recording():
                told = self._train_discriminator(
                    batch, generated, seeds[1], settings, penalised=penalised
                )
                real_logits, _ = self._judge(batch.images, batch, seeds[2], settings)
            logits, other = self._judge(generated, batch, seeds[2], settings)
            loss = please(real_logits, logits)
            colour = self._colour_excess(batch, generated)
            total = loss + self.hyper.match * losses.mismatch(logits, other)
            total += self.hyper.colour_weight * settings.ramp * colour
        length = self._descend("generator", self.generator, tape, total)
        margin = tf.reduce_mean(real_logits - logits)
        return tf.stack([told[0], loss, told[1], told[2], margin, told[3], length, colour])

    def _colour_excess(self, batch: Batch, generated: tf.Tensor) -> tf.Tensor:
        if not self.shape.slots or self.hyper.colour_weight == 0:
            return tf.zeros(())
        return losses.colour_excess(batch.images, generated, batch.colours)

    def _train_discriminator(
        self,
        batch: Batch,
        generated: tf.Tensor,
        seed: tf.Tensor,
        settings: Settings,
        *,
        penalised: bool,
    ) -> tuple[tf.Tensor, ...]:
        both = tf.concat([batch.images, generated], axis=0)
        twice = Batch(
            both,
            tf.concat([batch.labels, batch.labels], axis=0),
            tf.concat([batch.colours, batch.colours], axis=0),
        )
        judge, _ = PAIRS[self.hyper.loss]
        with tf.GradientTape() as tape:
            logits, other, slopes = self._judge_with_slopes(twice, seed, settings, penalised)
            loss = judge(*tf.split(logits, 2))
            right, wrong = tf.split(logits, 2)[0], tf.split(other, 2)[0]
            total = loss + self.hyper.match * losses.mismatch(right, wrong)
            weight = 0.5 * self.hyper.gamma * self.hyper.penalty_every * settings.penalty
            total += weight * (slopes[0] + slopes[1])
        length = self._descend("discriminator", self.critic, tape, total)
        return loss, *slopes, length

    def _judge_with_slopes(
        self, twice: Batch, seed: tf.Tensor, settings: Settings, penalised: bool  # noqa: FBT001 - one of two traces
    ) -> tuple[tf.Tensor, tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:  # fmt: skip
        if not penalised or self.hyper.gamma == 0:
            logits, other = self._judge(twice.images, twice, seed, settings)
            return logits, other, (tf.zeros(()), tf.zeros(()))
        with full_precision(self.critic), tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(twice.images)
            logits, other = self._judge(twice.images, twice, seed, settings)
            total = tf.reduce_sum(logits)
        real, made = tf.split(inner.gradient(total, twice.images), 2)
        return logits, other, (losses.slope_penalty(real), losses.slope_penalty(made))

    def _judge(
        self, images: tf.Tensor, batch: Batch, seed: tf.Tensor, settings: Settings
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the logits of images with their own conditions, and with their neighbours'."""
        changed = augment(images, seed, self.hyper, settings.chance)
        features = self.critic.features_of(changed, training=True)
        logits = self.critic.verdict(features, batch.labels, batch.colours, settings.ramp)
        if self.hyper.match == 0:
            return logits, logits
        labels, colours = tf.roll(batch.labels, 1, 0), tf.roll(batch.colours, 1, 0)
        return logits, self.critic.verdict(features, labels, colours, settings.ramp)


def _scaled(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) / 127.5 - 1.0


@contextmanager
def full_precision(network: Any) -> Iterator[None]:
    """Trace a network in float32 whatever its policy: slopes in bfloat16 are too coarse."""
    layers = [layer for layer in network._flatten_layers() if layer.compute_dtype != "float32"]  # noqa: SLF001 - Keras has no public walk over nested layers
    policies = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = keras.DTypePolicy("float32")
    try:
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy
