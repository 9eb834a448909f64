"""Extractor B: an encoder that learned the catalog's images without their labels."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from worker.gan import augment
from worker.gan.data import Dataset
from worker.gan.measure import trunk
from worker.gan.measure.fitting import Plan, default_steps, fit

_ROLE: Final = 1
_BATCH: Final = 128  # variances and covariances of fewer are mostly chance
_EXPANDED: Final = 256
_LEAST_CROP: Final = 0.6
_BRIGHTNESS: Final = 0.15
_CONTRAST: Final = 0.2

# The weights of the paper (arXiv 2105.04906, section 4.2).
_SAME: Final = 25.0
_SPREAD: Final = 25.0
_APART: Final = 1.0


class Network(keras.Model):
    """The trunk, and the expander that only the loss sees."""

    def __init__(self, *, size: int, channels: int, seed: int) -> None:
        super().__init__()
        seeds = trunk.layer_seeds(seed, role=_ROLE)
        self.trunk = trunk.Trunk(size=size, channels=channels, seeds=seeds)
        self.expander = [
            keras.layers.Dense(
                _EXPANDED, kernel_initializer=trunk.he(next(seeds)), activation=activation
            )
            for activation in ("relu", None)
        ]
        side = trunk.seen_side(size)
        self(tf.zeros((1, side, side, channels)))

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: FBT001, FBT002 - Keras' own signature
        """[n, side, side, channels] in [-1, 1] -> [n, 256]."""
        x = self.trunk(images, training=training)
        for layer in self.expander:
            x = layer(x)
        return x


class Encoder:
    """A trained encoder; knows shapes, patterns and colours, and no labels.

    Attributes:
        letter: "B".
        digest: names these weights.
    """

    letter: ClassVar[str] = "B"

    def __init__(self, about: dict[str, Any], network: Any, *, batch: int | None = None) -> None:
        self._about = dict(about)
        self._weights = network.get_weights()
        self.digest = trunk.digest(self._about, self._weights)
        self._run = trunk.Batched(
            network.trunk, frame=trunk.frame_of(about), channels=about["channels"], batch=batch
        )
        self._scale = np.float32(about["scale"])

    @property
    def side(self) -> int:
        """The longer side of the pictures that it reads, px."""
        frame = trunk.frame_of(self._about)
        return max(frame.height, frame.width)

    @property
    def channels(self) -> int:
        """1 or 3, of the pictures that it reads."""
        return int(self._about["channels"])

    def rescaled(self, images: NDArray[np.uint8]) -> "Encoder":
        """Make the features' mean square 1 on these images; for once after the training."""
        self._about["scale"] = float(self._scale) * trunk.scale_of(self.features, images)
        self._scale = np.float32(self._about["scale"])
        self.digest = trunk.digest(self._about, self._weights)
        return self

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [n, height, width, channels] -> float32 [n, 128]; their mean square is about 1.

        Raises:
            InvalidInputError: the images have another shape or type than the catalog's.
        """
        return self._run(images) * self._scale

    def to_bytes(self) -> bytes:
        """Write the encoder as .npz."""
        return trunk.to_bytes(self._about, self._weights)

    @classmethod
    def from_bytes(cls, data: bytes, *, batch: int | None = None) -> "Encoder":
        """Read what `to_bytes` wrote.

        Args:
            data: the file.
            batch: images a pass, as `trunk.Batched` takes it.

        Raises:
            UnreadableSourceError: damaged, or not an encoder.
        """
        about, weights = trunk.from_bytes(data, letter=cls.letter)
        network = Network(size=trunk.frame_of(about).side, channels=about["channels"], seed=0)
        trunk.put(network, weights, letter=cls.letter)
        return cls(about, network, batch=batch)


def train_encoder(
    dataset: Dataset,
    *,
    seed: int,
    steps: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Encoder:
    """Train extractor B on a catalog's images; the same seed and steps give the same weights.

    VICReg (Bardes et al. 2022, arXiv 2105.04906): two views of a garment are to be told alike,
    while each feature varies and no two say the same. Views differ in crop, side, brightness and
    contrast, and keep their hue: a space that forgets colour could not see it go wrong.

    Args:
        dataset: the catalog, without the garments held out for measuring.
        seed: every draw follows from it.
        steps: batches of 128, in two views; None takes a quarter of `fitting.default_steps`.
        on_progress: called after each step with the share done, 0..1; may raise to stop.
    """
    about = {
        **trunk.about(Encoder.letter, dataset.frame, dataset.channels),
        "scale": 1.0,
    }
    network = Network(size=dataset.frame.side, channels=dataset.channels, seed=seed)

    def loss(batch: tf.Tensor, _: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        seen = trunk.as_seen(batch)
        seeds = tf.unstack(tf.random.experimental.stateless_split(draw, 2))
        both = tf.concat([view(seen, seed) for seed in seeds], axis=0)
        return vicreg(*tf.split(network(both, training=True), 2))

    fit(
        network, loss, dataset.images, np.zeros((dataset.n, 0), np.int32),
        plan=Plan(steps or default_steps(dataset.n) // 4, seed, rate=1e-3, batch=_BATCH),
        on_progress=on_progress,
    )  # fmt: skip
    return Encoder(about, network).rescaled(dataset.images)


def view(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return one changed copy of each image, [n, side, side, channels] in [-1, 1]."""
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    count, side = tf.shape(images)[0], images.shape[1]
    extent = tf.random.stateless_uniform((count, 2), seeds[0], _LEAST_CROP, 1.0)
    place, tone = tf.unstack(tf.random.experimental.stateless_split(seeds[1], 2))
    corner = tf.random.stateless_uniform((count, 2), place) * (1.0 - extent)
    boxes = tf.concat([corner, corner + extent], axis=1)
    cropped = tf.image.crop_and_resize(images, boxes, tf.range(count), (side, side))
    change = tf.random.stateless_uniform((2, count, 1, 1, 1), tone, -1.0, 1.0)
    toned = cropped * (1.0 + _CONTRAST * change[0]) + _BRIGHTNESS * change[1]
    return augment.mirror(tf.clip_by_value(toned, -1.0, 1.0), seeds[2])


def vicreg(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Return the loss of two views' embeddings, [n, d] each -> []."""
    alike = tf.reduce_mean(tf.math.squared_difference(first, second))
    return _SAME * alike + _kept_apart(first) + _kept_apart(second)


def _kept_apart(rows: tf.Tensor) -> tf.Tensor:
    """Half the variance term, for each view has one, and the covariance term."""
    centred = rows - tf.reduce_mean(rows, axis=0)
    count, width = tf.cast(tf.shape(rows)[0], tf.float32), rows.shape[1]
    covariance = tf.matmul(centred, centred, transpose_a=True) / (count - 1.0)
    variance = tf.linalg.diag_part(covariance)
    narrow = tf.reduce_mean(tf.nn.relu(1.0 - tf.sqrt(variance + 1e-4)))
    crossed = (tf.reduce_sum(tf.square(covariance)) - tf.reduce_sum(tf.square(variance))) / width
    return 0.5 * _SPREAD * narrow + _APART * crossed
