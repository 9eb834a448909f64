"""The networks in training: one compiled step, and everything that a resume needs.

Separation of concerns: `trainer` owns variables and the step; `train` owns budget, clock,
progress and checkpoints; `checkpoint` owns bytes on disk.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from worker.gan import augment, losses
from worker.gan.data import Dataset
from worker.gan.device import Device
from worker.gan.networks import DiscriminatorNetwork, GeneratorNetwork
from worker.gan.recipe import Hyperparameters

MEMORY_LIMIT = 2**31
"""Catalogs up to this many bytes are held as one tensor; larger ones stay mapped on disk."""


class Trainer:
    """Generator, discriminator, averaged generator, two optimisers, and the step over them."""

    def __init__(
        self, hyper: Hyperparameters, dataset: Dataset, *, seed: int, device: Device
    ) -> None:
        self.hyper = hyper
        self.seed = seed
        self.dataset = dataset
        shape: dict[str, Any] = {
            "size": dataset.size,
            "channels": dataset.channels,
            "values": [len(values) for values in dataset.vocabulary.values()],
            "dtype": device.policy,
        }
        self.generator = GeneratorNetwork(hyper, seed=seed, **shape)
        self.discriminator = DiscriminatorNetwork(hyper, seed=seed, **shape)
        self.average = GeneratorNetwork(hyper, seed=seed, **shape)
        self.optimisers = {
            "generator": _adam(hyper, self.generator),
            "discriminator": _adam(hyper, self.discriminator),
        }
        self.labels = tf.constant(dataset.label_matrix())
        self.chances = tf.constant(np.cumsum(dataset.sampling_weights(hyper.balance)))
        self.catalog = (
            tf.constant(dataset.images) if dataset.images.nbytes <= MEMORY_LIMIT else None
        )
        self._draw = tf.function(self._draw_indices)
        self._step_given = tf.function(self._step_on_images, jit_compile=device.compiled)
        self._step_gathered = tf.function(self._step_on_catalog)
        self._sample = tf.function(lambda z, labels: self.average(z, labels, training=False))

    def step(self, number: int, *, rate: float, decay: float, stream: int = 0) -> Any:
        """Train on one batch; returns [discriminator loss, generator loss, R1, R2] on the device.

        Every draw follows from (seed, stream, number), so a resumed run repeats the first one.

        Args:
            number: of the step, from 0.
            rate: learning rate of this step.
            decay: share of the averaged generator that is kept, 0..1.
            stream: another number gives other draws; used after going back to a checkpoint.
        """
        draw = tf.constant([self.seed + stream * 2**32, number], tf.int64)
        settings = tf.constant([rate, decay], tf.float32)
        if self.catalog is not None:
            return self._step_gathered(draw, settings)
        indices = np.sort(self._draw(draw).numpy())
        images = tf.constant(self.dataset.images[indices])
        return self._step_given(draw, settings, images, tf.gather(self.labels, indices))

    def sample(
        self, latents: NDArray[np.float32], labels: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Return the averaged generator's images, [n, size, size, channels] in [-1, 1]."""
        images: NDArray[np.float32] = self._sample(
            tf.constant(latents), tf.constant(labels)
        ).numpy()
        return images

    def state(self) -> dict[str, NDArray[Any]]:
        """Return every variable by name, copied to memory."""
        return {name: np.array(variable.numpy()) for name, variable in self._variables().items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put back what `state` gave; a missing or misshapen array raises ValueError."""
        variables = self._variables()
        if state.keys() != variables.keys():
            raise ValueError("The arrays are those of another network.")
        for name, variable in variables.items():
            variable.assign(state[name])

    def _variables(self) -> dict[str, Any]:
        parts = {
            "generator": self.generator.variables,
            "discriminator": self.discriminator.variables,
            "average": self.average.variables,
            "generator_optimiser": self.optimisers["generator"].variables,
            "discriminator_optimiser": self.optimisers["discriminator"].variables,
        }
        return {f"{part}/{i:03d}": v for part, vs in parts.items() for i, v in enumerate(vs)}

    def _draw_indices(self, draw: tf.Tensor) -> tf.Tensor:
        """Draw garments with replacement; nothing but the step's number has to be remembered."""
        chance = tf.random.stateless_uniform((self.hyper.batch,), draw, dtype=tf.float64)
        last = tf.cast(tf.shape(self.chances)[0], tf.int64) - 1
        found = tf.searchsorted(self.chances, chance * self.chances[-1], "right", tf.int64)
        return tf.minimum(found, last)

    def _step_on_catalog(self, draw: tf.Tensor, settings: tf.Tensor) -> tf.Tensor:
        indices = self._draw_indices(draw)
        images, labels = tf.gather(self.catalog, indices), tf.gather(self.labels, indices)
        return self._step_given(draw, settings, images, labels)

    def _step_on_images(
        self, draw: tf.Tensor, settings: tf.Tensor, images: tf.Tensor, labels: tf.Tensor
    ) -> tf.Tensor:
        """Train the discriminator, then the generator against it, on the same generated images.

        One generator pass serves both, but the discriminator that teaches is the updated one:
        updating both from the same logits measured worse.
        """
        rate, decay = tf.unstack(settings)
        seeds = tf.unstack(tf.random.experimental.stateless_split(draw, 5))
        real, labels = self._prepare(images, labels, seeds[0], seeds[1])
        latents = tf.random.stateless_normal((self.hyper.batch, self.hyper.latent), seeds[2])
        with tf.GradientTape() as tape:
            generated = self.generator(latents, labels, training=True)
            with tape.stop_recording():
                judged = self._train_discriminator(real, generated, labels, seeds[3], rate)
                real_logits = self._judge(real, labels, seeds[4])
            loss = losses.generator_loss(real_logits, self._judge(generated, labels, seeds[4]))
        self._descend("generator", self.generator, tape, loss, rate)
        for kept, new in zip(self.average.variables, self.generator.variables, strict=True):
            kept.assign(new + (kept - new) * decay)
        return tf.stack([judged[0], loss, judged[1], judged[2]])

    def _prepare(
        self, images: tf.Tensor, labels: tf.Tensor, mirror: tf.Tensor, hide: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Turn bytes into [-1, 1], mirror some images, hide some labels."""
        real = tf.cast(images, tf.float32) / 127.5 - 1.0
        real = tf.ensure_shape(real, (self.hyper.batch, *self.dataset.images.shape[1:]))
        if self.hyper.flip:
            real = augment.mirror(real, mirror)
        hidden = tf.random.stateless_uniform(tf.shape(labels), hide) < self._null_chances()
        return real, tf.where(hidden, -1, labels)

    def _null_chances(self) -> list[float]:
        others = len(self.dataset.vocabulary) - 1
        return [self.hyper.null_chance, *[self.hyper.null_chance_others] * others][: others + 1]

    def _train_discriminator(
        self,
        real: tf.Tensor,
        generated: tf.Tensor,
        labels: tf.Tensor,
        seed: tf.Tensor,
        rate: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        both = tf.concat([real, generated], axis=0)
        twice = tf.concat([labels, labels], axis=0)
        with tf.GradientTape() as tape:
            with tf.GradientTape(watch_accessed_variables=False) as slopes:
                slopes.watch(both)
                logits = self._judge(both, twice, seed)
                total = tf.reduce_sum(logits)
            slope = tf.split(slopes.gradient(total, both), 2)
            r1, r2 = losses.slope_penalty(slope[0]), losses.slope_penalty(slope[1])
            loss = losses.discriminator_loss(*tf.split(logits, 2))
            penalised = loss + 0.5 * self.hyper.gamma * (r1 + r2)
        self._descend("discriminator", self.discriminator, tape, penalised, rate)
        return loss, r1, r2

    def _judge(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if self.hyper.shift > 0:
            images = augment.shift(images, seed, self.hyper.shift)
        return self.discriminator(images, labels, training=True)

    def _descend(
        self, name: str, network: Any, tape: tf.GradientTape, loss: tf.Tensor, rate: tf.Tensor
    ) -> None:
        variables = network.trainable_variables
        optimiser = self.optimisers[name]
        optimiser.learning_rate.assign(rate)
        optimiser.apply(tape.gradient(loss, variables), variables)


def _adam(hyper: Hyperparameters, network: Any) -> Any:
    optimiser = keras.optimizers.Adam(hyper.learning_rate, beta_1=0.0, beta_2=0.99, epsilon=1e-8)
    optimiser.build(network.trainable_variables)
    return optimiser
