"""The networks in training: variables, the feed, and the compiled step that a preset fills in.

Separation of concerns: a trainer owns variables and the step; `train` owns budget, clock,
progress and checkpoints; `checkpoint` owns bytes on disk.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from worker.gan.augment import mirror
from worker.gan.data import Dataset
from worker.gan.device import Device
from worker.gan.networks.layers import Shape
from worker.gan.networks.registry import preset_of
from worker.gan.recipe import Hyperparameters

MEMORY_LIMIT = 2**30
"""Catalogs up to this many bytes are held as one tensor; larger ones stay mapped on disk."""

REPLICA_STRIDE = 2**40
"""Added to the draw of each further device, so that no two draw alike."""


@dataclass(frozen=True)
class Batch:
    """What a step works on, in the graph.

    Attributes:
        images: [n, side, side, channels] in [-1, 1].
        labels: int32 [n, attributes], -1 where unknown or hidden in this step.
        colours: CIELAB [n, slots, 3], NaN where unknown or hidden in this step.
    """

    images: tf.Tensor
    labels: tf.Tensor
    colours: tf.Tensor


@dataclass(frozen=True)
class Settings:
    """What may change from step to step without another trace.

    Attributes:
        rate: learning rate.
        decay: share of the averaged generator that is kept, 0..1.
        chance: of each augmentation, 0..1.
        ramp: how much of the conditions counts, 0..1.
        penalty: share of gamma that counts.
    """

    rate: Any
    decay: Any = 0.0
    chance: Any = 1.0
    ramp: Any = 1.0
    penalty: Any = 1.0

    def packed(self) -> tf.Tensor:
        """Return one tensor, so that a step is fed once."""
        whole = [self.rate, self.decay, self.chance, self.ramp, self.penalty]
        return tf.constant(whole, tf.float32)


class Trainer(ABC):
    """Generator, critic, averaged generator, two optimisers, and the step over them."""

    names: ClassVar[tuple[str, ...]]
    """What a step returns, in order."""

    critic_name: ClassVar[str]
    """What the critic is called in checkpoints."""

    def __init__(
        self,
        preset: str,
        hyper: Hyperparameters,
        dataset: Dataset,
        *,
        rows: NDArray[np.intp] | None = None,
        seed: int,
        device: Device,
    ) -> None:
        """Build the networks, new, and put the catalog on the device.

        Args:
            preset: family of networks.
            hyper: their settings.
            dataset: the catalog.
            rows: garments to learn from; None means all. The others are never drawn.
            seed: every draw follows from it.
            device: where to run.
        """
        self.hyper = hyper
        self.seed = seed
        self.dataset = dataset
        self.rows = np.arange(dataset.n) if rows is None else rows
        self.shape = shape_of(dataset, dtype=device.policy)
        self.strategy = device.strategy()
        self.replicas: int = self.strategy.num_replicas_in_sync
        self.local_batch = max(1, hyper.batch // self.replicas)
        with self.strategy.scope():
            self._build(preset_of(preset))
        self._hold()
        self._draw = tf.function(self._draw_indices)
        self._steps = {flag: self._traced(device, penalised=flag) for flag in (False, True)}
        self._sample = tf.function(
            lambda z, labels, colours: self.average(z, labels, colours, training=False)
        )

    @abstractmethod
    def _update(
        self, batch: Batch, draw: tf.Tensor, settings: Settings, *, penalised: bool
    ) -> tf.Tensor:
        """Update both networks on a batch; return what `names` says, [len(names)]."""

    def probe(self, number: int, heldout: Dataset, *, settings: Settings) -> dict[str, float]:  # noqa: ARG002 - for those that can tell
        """Say how the critic takes seen, held-out and generated garments; {} if it judges none."""
        return {}

    def step(
        self, number: int, settings: Settings, *, penalised: bool = True, stream: int = 0
    ) -> Any:
        """Train on one batch; returns the values of `names` on the device.

        Every draw follows from (seed, stream, number), so a resumed run repeats the first one.

        Args:
            number: of the step, from 0.
            settings: rate, averaging, augmentation and ramp of this step.
            penalised: whether the penalties on the slope are computed in this step.
            stream: another number gives other draws; used after going back to a checkpoint.
        """
        draw = self._draw_of(number, stream)
        step = self._steps[penalised]
        if self.catalog is not None:
            return step(draw, settings.packed(), ())
        rows = np.sort(self._draw(draw).numpy())
        images = tf.constant(self.dataset.frame.inward(self.dataset.images[rows]))
        return step(draw, settings.packed(), (images, rows))

    def sample(
        self,
        latents: NDArray[np.float32],
        labels: NDArray[np.int32],
        colours: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the averaged generator's images, [n, side, side, channels] in [-1, 1]."""
        images: NDArray[np.float32] = self._sample(
            tf.constant(latents), tf.constant(labels), tf.constant(colours)
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
            self.critic_name: self.critic.variables,
            "average": self.average.variables,
            "generator_optimiser": self.optimisers["generator"].variables,
            f"{self.critic_name}_optimiser": self.optimisers[self.critic_name].variables,
        }
        return {f"{part}/{i:03d}": v for part, vs in parts.items() for i, v in enumerate(vs)}

    def _build(self, preset: Any) -> None:
        self.generator = preset.generator(self.hyper, self.shape, seed=self.seed)
        # What is shown, measured and published is painted as the release will paint it.
        exact = replace(self.shape, dtype="float32")
        self.average = preset.generator(self.hyper, exact, seed=self.seed)
        self.critic = preset.critic(self.hyper, self.shape, seed=self.seed)
        self.optimisers = {
            "generator": _adam(self.hyper, self.generator),
            self.critic_name: _adam(self.hyper, self.critic),
        }

    def _hold(self) -> None:
        """Put what every step reads on the device."""
        dataset = self.dataset
        small = dataset.images.nbytes <= MEMORY_LIMIT
        self.catalog = tf.constant(dataset.frame.inward(dataset.images)) if small else None
        self.labels = tf.constant(dataset.label_matrix())
        self.colours = tf.constant(dataset.colour_matrix())
        weights = np.zeros(dataset.n)
        weights[self.rows] = dataset.sampling_weights(self.hyper.balance)[self.rows]
        self.chances = tf.constant(np.cumsum(weights))

    def _draw_of(self, number: int, stream: int) -> tf.Tensor:
        return tf.constant([self.seed + stream * 2**32, number], tf.int64)

    def _draw_indices(self, draw: tf.Tensor) -> tf.Tensor:
        """Draw garments with replacement; nothing but the step's number has to be remembered."""
        chance = tf.random.stateless_uniform((self.hyper.batch,), draw, dtype=tf.float64)
        last = tf.constant(int(self.rows[-1]), tf.int64)
        found = tf.searchsorted(self.chances, chance * self.chances[-1], "right", tf.int64)
        return tf.minimum(found, last)

    def _traced(self, device: Device, *, penalised: bool) -> Any:
        """Return one compiled step: gather, update on each device, average the generator."""

        def update(draw: tf.Tensor, packed: tf.Tensor, *gathered: tf.Tensor) -> tf.Tensor:
            return self._replica_step(draw, packed, gathered, penalised=penalised)

        if device.compiled:
            update = tf.function(update, jit_compile=True)

        def step(draw: tf.Tensor, packed: tf.Tensor, given: tuple[Any, ...]) -> tf.Tensor:
            images, rows = given or (None, self._draw_indices(draw))
            if images is None:
                images = tf.gather(self.catalog, rows)
            gathered = (images, tf.gather(self.labels, rows), tf.gather(self.colours, rows))
            for optimiser in self.optimisers.values():
                optimiser.learning_rate.assign(packed[0])
            told = self.strategy.run(update, args=(draw, packed, *gathered))
            self._follow(packed[1])
            return self.strategy.reduce("MEAN", told, axis=None)

        return tf.function(step)

    def _replica_step(
        self,
        draw: tf.Tensor,
        packed: tf.Tensor,
        gathered: tuple[tf.Tensor, ...],
        *,
        penalised: bool,
    ) -> tf.Tensor:
        if self.replicas > 1:
            place = tf.distribute.get_replica_context().replica_id_in_sync_group
            first = place * self.local_batch
            gathered = tuple(part[first : first + self.local_batch] for part in gathered)
            draw += tf.cast(place, tf.int64) * tf.constant([REPLICA_STRIDE, 0], tf.int64)
        settings = Settings(*tf.unstack(packed))
        seeds = tf.unstack(tf.random.experimental.stateless_split(draw, 4))
        batch = self._prepare(gathered, seeds[:3])
        return self._update(batch, seeds[3], settings, penalised=penalised)

    def _follow(self, decay: tf.Tensor) -> None:
        """Move the averaged generator towards the present one."""
        for kept, new in zip(self.average.weights, self.generator.weights, strict=True):
            kept.assign(new + (kept - new) * decay)

    def _prepare(self, gathered: tuple[tf.Tensor, ...], seeds: list[tf.Tensor]) -> Batch:
        """Turn bytes into [-1, 1], mirror some images, hide some conditions."""
        images, labels, colours = gathered
        side, channels = self.shape.size, self.shape.channels
        real = tf.cast(images, tf.float32) / 127.5 - 1.0
        real = tf.ensure_shape(real, (self.local_batch, side, side, channels))
        if self.hyper.flip:
            real = mirror(real, seeds[0])
        hidden = tf.random.stateless_uniform(tf.shape(labels), seeds[1]) < self._null_chances()
        labels = tf.where(hidden, -1, labels)
        return Batch(real, labels, self._hide(colours, seeds[2]))

    def _hide(self, colours: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Hide all colours of some garments, and the second one of as many others."""
        if not self.shape.slots:
            return colours
        chance = tf.random.stateless_uniform((self.local_batch, 1), seed)
        limits = self.hyper.null_chance_others * tf.constant([[1.0, 2.0]])
        return tf.where((chance < limits)[..., tf.newaxis], float("nan"), colours)

    def _null_chances(self) -> list[float]:
        others = len(self.dataset.vocabulary) - 1
        return [self.hyper.null_chance, *[self.hyper.null_chance_others] * others][: others + 1]

    def _descend(
        self, name: str, network: Any, tape: tf.GradientTape, loss: tf.Tensor
    ) -> tf.Tensor:
        """Apply one update and return the length of its gradient.

        The optimiser sums over devices, and the loss of each is a mean over its own images.
        """
        variables = network.trainable_variables
        gradients = self._gradients(name, tape, loss, variables)
        self.optimisers[name].apply([g / self.replicas for g in gradients], variables)
        return tf.linalg.global_norm(gradients)

    def _gradients(
        self, name: str, tape: tf.GradientTape, loss: tf.Tensor, variables: list[Any]
    ) -> list[tf.Tensor]:  # fmt: skip
        """Return the gradients of one network; a seam for tests that break them."""
        del name
        return list(tape.gradient(loss, variables))


def shape_of(dataset: Dataset, *, dtype: str) -> Shape:
    """Return what the networks of a training on this catalog have in common."""
    values = tuple(len(values) for values in dataset.vocabulary.values())
    return Shape(dataset.frame.side, dataset.channels, values, dataset.slots, dtype)


def _adam(hyper: Hyperparameters, network: Any) -> Any:
    optimiser = keras.optimizers.Adam(
        hyper.learning_rate, beta_1=hyper.beta_1, beta_2=0.99 if hyper.beta_1 == 0 else 0.999,
        epsilon=1e-8,
    )  # fmt: skip
    optimiser.build(network.trainable_variables)
    return optimiser
