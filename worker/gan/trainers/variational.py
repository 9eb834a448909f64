"""A decoder with an encoder: both descend the same bound."""

from typing import ClassVar

import tensorflow as tf

from worker.gan import losses
from worker.gan.trainers.base import Batch, Settings, Trainer


class VariationalTrainer(Trainer):
    """The evidence lower bound, with the noise of the pixels at its best value."""

    critic_name: ClassVar[str] = "encoder"
    names: ClassVar[tuple[str, ...]] = (
        "encoder",
        "generator",
        "divergence",
        "encoder_gradient",
        "generator_gradient",
    )

    def _update(
        self, batch: Batch, draw: tf.Tensor, settings: Settings, *, penalised: bool
    ) -> tf.Tensor:
        del penalised  # an autoencoder has no slopes to punish
        conditions = (batch.labels, batch.colours, settings.ramp)
        with tf.GradientTape(persistent=True) as tape:
            told = self.critic(batch.images, *conditions, training=True)
            mean, log_variance = tf.split(told, 2, axis=1)
            log_variance = tf.clip_by_value(log_variance, -10.0, 10.0)
            noise = tf.random.stateless_normal(tf.shape(mean), draw)
            latents = mean + tf.exp(0.5 * log_variance) * noise
            made = self.generator(latents, *conditions, training=True)
            likelihood = losses.reconstruction(batch.images, made)
            divergence = losses.divergence(mean, log_variance)
            total = likelihood + divergence
        lengths = [
            self._descend(self.critic_name, self.critic, tape, total),
            self._descend("generator", self.generator, tape, total),
        ]
        return tf.stack([total, likelihood, divergence, *lengths])
