"""A painter small enough to learn in a second, with attributes and colours as asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from worker.gan import grid
from worker.gan.frame import Frame

SHAPES = {"shape": ("upright", "flat", "round"), "shade": ("dark", "light")}


class SmallNetwork(keras.Model):
    """Two dense layers from latents, one-hot labels and colours."""

    def __init__(self, *, latent: int, size: int, channels: int, values: Sequence[int]) -> None:
        super().__init__()
        self.values = values
        self.painted = (-1, size, size, channels)
        start = keras.initializers.RandomNormal(stddev=0.5, seed=1)
        self.start = keras.layers.Dense(24, "tanh", kernel_initializer=start)
        self.finish = keras.layers.Dense(
            size * size * channels, "tanh",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.3, seed=2),
        )  # fmt: skip
        self.latent = latent

    @property
    def first_kernel(self) -> Any:
        return self.start.kernel

    def call(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor,
        colours: tf.Tensor,
        training: bool = False,  # noqa: ARG002, FBT001, FBT002 - Keras' own signature
    ) -> tf.Tensor:
        hot = [3.0 * tf.one_hot(labels[:, i] + 1, count + 1) for i, count in enumerate(self.values)]
        known = tf.where(tf.math.is_nan(colours), 0.0, colours / 50.0)
        flat = tf.reshape(known, (tf.shape(latents)[0], colours.shape[1] * 3))
        x = self.finish(self.start(tf.concat([latents, *hot, flat], axis=1)))
        return tf.reshape(x, self.painted)


@dataclass(frozen=True)
class Measures:
    frame: Frame


class SmallPainter:
    """A painter that draws what is left open with even chances."""

    latent = 4

    def __init__(
        self,
        *,
        channels: int,
        vocabulary: Mapping[str, tuple[str, ...]],
        slots: int,
        height: int,
        width: int,
    ) -> None:
        self.anatomy = Measures(Frame(height, width))
        self.channels = channels
        self.vocabulary = vocabulary
        self.slots = slots
        values = [len(known) for known in vocabulary.values()]
        self.network = SmallNetwork(
            latent=self.latent, size=self.anatomy.frame.side, channels=channels, values=values
        )
        empty = tf.zeros((1, len(values)), tf.int32), tf.zeros((1, slots, 3))
        self.network(tf.zeros((1, self.latent)), *empty)

    def paint(
        self, points: NDArray[np.float32], labels: NDArray[np.int32], colours: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        given = (tf.constant(part) for part in (points, labels, colours))
        return self.anatomy.frame.outward(grid.to_bytes(self.network(*given).numpy()))

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        return [
            {**condition, **self._filled(seed, condition)}
            for seed, condition in zip(seeds, conditions, strict=True)
        ]

    def _filled(self, seed: int, condition: Mapping[str, str]) -> dict[str, str]:
        draw = np.random.default_rng(seed)
        return {
            name: condition.get(name) or known[draw.integers(len(known))]
            for name, known in self.vocabulary.items()
        }


MakePainter = Callable[..., SmallPainter]


def make_painter(
    *,
    channels: int = 3,
    vocabulary: Mapping[str, tuple[str, ...]] | None = None,
    slots: int = 0,
    height: int = 16,
    width: int = 16,
) -> SmallPainter:
    known = SHAPES if vocabulary is None else vocabulary
    return SmallPainter(
        channels=channels, vocabulary=known, slots=slots, height=height, width=width
    )


@pytest.fixture(scope="session")
def small_painter() -> MakePainter:
    return make_painter
