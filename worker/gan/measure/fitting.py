"""Training an extractor for a number of steps, so that the same seed gives the same weights."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from worker.gan.frame import Frame

BATCH: Final = 64

RATE: Final = 2e-3

WARM_STEPS: Final = 50

SMALL_CATALOG: Final = 10_000
"""Below this many garments, each is shown so often that light changes keep them apart."""

Loss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""(images uint8 [batch, side, side, channels], labels int32 [batch, attributes], seed) -> []"""


def default_steps(garments: int) -> int:
    """Return how long to train: 506 steps for 1,000 garments, 3,919 for 60,000.

    By the square root: four passes over a large catalog, and thirty over a small one.
    """
    return max(128, round(16 * math.sqrt(garments)))


@dataclass(frozen=True)
class Plan:
    """How an extractor is trained.

    Attributes:
        steps: batches to show.
        seed: every draw follows from it.
        rate: the highest learning rate.
        batch: garments in a step.
    """

    steps: int
    seed: int
    rate: float = RATE
    batch: int = BATCH


def fit(
    network: Any,
    loss: Loss,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    *,
    plan: Plan,
    on_progress: Callable[[float], None] | None = None,
) -> None:
    """Train with Adam, the rate falling along a cosine.

    Args:
        network: what has the trainable variables.
        loss: of one batch; draws only from the seed it is given.
        images: uint8 [n, height, width, channels]; the loss gets them square.
        labels: int32 [n, attributes], -1 for unknown.
        plan: for how long, from which seed, how fast.
        on_progress: called after each step with the share done, 0..1; may raise to stop.
    """
    frame = Frame(images.shape[1], images.shape[2])
    optimiser = keras.optimizers.Adam(plan.rate)
    optimiser.build(network.trainable_variables)
    step = tf.function(lambda *given: _descend(network, optimiser, loss, *given))
    for number, rows in enumerate(_rows(len(images), plan)):
        draw = tf.constant([plan.seed, number], tf.int64)
        now = tf.constant(plan.rate * _share(number, plan.steps), tf.float32)
        step(tf.constant(frame.inward(images[rows])), tf.constant(labels[rows]), draw, now)
        if on_progress is not None:
            on_progress((number + 1) / plan.steps)


def _descend(
    network: Any,
    optimiser: Any,
    loss: Loss,
    images: tf.Tensor,
    labels: tf.Tensor,
    draw: tf.Tensor,
    rate: tf.Tensor,
) -> tf.Tensor:
    with tf.GradientTape() as tape:
        value = loss(images, labels, draw)
    optimiser.learning_rate.assign(rate)
    optimiser.apply(tape.gradient(value, network.trainable_variables), network.trainable_variables)
    return value


def _share(number: int, steps: int) -> float:
    """Rise over the first steps, then fall along a cosine to nothing."""
    rise = min(1.0, (number + 1) / WARM_STEPS)
    return rise * 0.5 * (1.0 + math.cos(math.pi * number / steps))


def _rows(count: int, plan: Plan) -> Iterator[NDArray[np.int64]]:
    """Yield sorted places of each batch; every garment is shown once before any is again."""
    draw = np.random.default_rng([plan.seed, count])
    waiting = np.empty(0, np.int64)
    for _ in range(plan.steps):
        while len(waiting) < plan.batch:
            waiting = np.concatenate([waiting, draw.permutation(count)])
        # Sorted, because a catalog may be mapped from a disk.
        yield np.sort(waiting[: plan.batch])
        waiting = waiting[plan.batch :]
