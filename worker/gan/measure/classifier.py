"""Extractor A: a classifier of the catalog's own labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.gan import augment
from worker.gan.data import Dataset
from worker.gan.frame import Frame
from worker.gan.measure import trunk
from worker.gan.measure.fitting import SMALL_CATALOG, Plan, default_steps, fit

_ROLE: Final = 0
_SHIFT: Final = 0.08


class Network(keras.Model):
    """The trunk, and one layer of logits for all attributes' values side by side."""

    def __init__(
        self, *, size: int, channels: int, values: Sequence[int], seeds: Iterator[int]
    ) -> None:
        super().__init__()
        self.trunk = trunk.Trunk(size=size, channels=channels, seeds=seeds)
        self.heads = keras.layers.Dense(
            sum(values), kernel_initializer=keras.initializers.GlorotNormal(seed=next(seeds))
        )
        side = trunk.seen_side(size)
        self(tf.zeros((1, side, side, channels)))

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: FBT001, FBT002 - Keras' own signature
        """[n, side, side, channels] in [-1, 1] -> features and logits, [n, FEATURES + values]."""
        features = self.trunk(images, training=training)
        return tf.concat([features, self.heads(features)], axis=1)


class Classifier:
    """A trained classifier. Features are the layer before the logits, [n, 128].

    Attributes:
        letter: "A".
        digest: names these weights.
        vocabulary: attribute -> its values, as the catalog has them.
    """

    letter: ClassVar[str] = "A"

    def __init__(self, about: Mapping[str, Any], network: Any) -> None:
        self._about = dict(about)
        self._weights = network.get_weights()
        self.digest = trunk.digest(self._about, self._weights)
        self.vocabulary = {name: tuple(values) for name, values in about["vocabulary"].items()}
        self._run = trunk.Batched(network, frame=trunk.frame_of(about), channels=about["channels"])
        self._scale = np.float32(about["scale"])

    def rescaled(self, images: NDArray[np.uint8]) -> "Classifier":
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
        return self.read(images)[0]

    def probabilities(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return attribute -> float32 [n, values], rows summing to 1."""
        return self.read(images)[1]

    def read(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        """Return `features` and `probabilities` from one pass."""
        both = self._run(images)
        ends = np.cumsum([trunk.FEATURES, *(len(v) for v in self.vocabulary.values())])
        logits = np.split(both, ends[:-1], axis=1)[1:]
        shares = {name: _softmax(part) for name, part in zip(self.vocabulary, logits, strict=True)}
        return both[:, : trunk.FEATURES] * self._scale, shares

    def accuracy(
        self, images: NDArray[np.uint8], labels: Mapping[str, NDArray[np.int32]]
    ) -> dict[str, float]:
        """Return attribute -> share told right among known labels; NaN where none is known."""
        return hits(self.probabilities(images), labels)

    def to_bytes(self) -> bytes:
        """Write the classifier as .npz."""
        return trunk.to_bytes(self._about, self._weights)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Classifier":
        """Read what `to_bytes` wrote.

        Raises:
            UnreadableSourceError: damaged, or not a classifier.
        """
        about, weights = trunk.from_bytes(data, letter=cls.letter)
        network = _built(about, seed=0)
        trunk.put(network, weights, letter=cls.letter)
        return cls(about, network)


def has_labels(dataset: Dataset) -> bool:
    """Whether there is anything to tell apart: an attribute with two known values."""
    return any(len(np.unique(column[column >= 0])) > 1 for column in dataset.labels.values())


def train_classifier(
    dataset: Dataset,
    *,
    seed: int,
    steps: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Classifier:
    """Train extractor A on a catalog; the same seed and steps give the same weights.

    Args:
        dataset: the catalog, without the garments held out for measuring.
        seed: every draw follows from it.
        steps: batches of 64; None takes `fitting.default_steps`.
        on_progress: called after each step with the share done, 0..1; may raise to stop.

    Raises:
        InvalidInputError: the catalog has no labels, or only one value of each.
    """
    if not has_labels(dataset):
        raise InvalidInputError(
            "Extractor A learns the catalog's labels, and this catalog has no attribute with two "
            "known values. Measure with extractors B and C, or label the garments."
        )
    return classifier_of(
        dataset.images, dataset.label_matrix(), dataset.vocabulary,
        seed=seed, steps=steps or default_steps(dataset.n), on_progress=on_progress,
    )  # fmt: skip


def classifier_of(
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    vocabulary: Mapping[str, Sequence[str]],
    *,
    seed: int,
    steps: int,
    on_progress: Callable[[float], None] | None = None,
) -> Classifier:
    """Train on any images, uint8 [n, height, width, channels], and labels int32 [n, attributes]."""
    about = {
        **trunk.about(Classifier.letter, Frame(images.shape[1], images.shape[2]), images.shape[3]),
        "vocabulary": {name: list(values) for name, values in vocabulary.items()},
        "scale": 1.0,
    }
    network = _built(about, seed=seed)
    changed = len(images) < SMALL_CATALOG

    def loss(batch: tf.Tensor, known: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        seen = trunk.as_seen(batch)
        seen = _lightly_changed(seen, draw) if changed else seen
        return _cross_entropy(network(seen, training=True)[:, trunk.FEATURES :], known, vocabulary)

    fit(network, loss, images, labels, plan=Plan(steps, seed), on_progress=on_progress)
    return Classifier(about, network).rescaled(images)


def hits(
    probabilities: Mapping[str, NDArray[np.float32]], labels: Mapping[str, NDArray[np.int32]]
) -> dict[str, float]:
    """Return attribute -> share whose likeliest value is the label; NaN where none is known."""
    shares = {}
    for name, rows in probabilities.items():
        known = labels[name] >= 0
        right = rows.argmax(axis=1)[known] == labels[name][known]
        shares[name] = float(right.mean()) if known.any() else float("nan")
    return shares


def _built(about: Mapping[str, Any], *, seed: int) -> Any:
    return Network(
        size=trunk.frame_of(about).side,
        channels=about["channels"],
        values=[len(values) for values in about["vocabulary"].values()],
        seeds=trunk.layer_seeds(seed, role=_ROLE),
    )


def _lightly_changed(images: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
    seeds = tf.unstack(tf.random.experimental.stateless_split(draw, 2))
    return augment.shift(augment.mirror(images, seeds[0]), seeds[1], _SHIFT)


def _cross_entropy(
    logits: tf.Tensor, labels: tf.Tensor, vocabulary: Mapping[str, Sequence[str]]
) -> tf.Tensor:
    """Sum the attributes' means over the garments whose label is known."""
    total = tf.constant(0.0)
    parts = tf.split(logits, [len(values) for values in vocabulary.values()], axis=1)
    for position, part in enumerate(parts):
        known = tf.cast(labels[:, position] >= 0, tf.float32)
        # -1 has no one-hot place: its row is zeros, and so is its loss.
        wanted = tf.one_hot(labels[:, position], part.shape[1])
        each = tf.nn.softmax_cross_entropy_with_logits(wanted, part)
        total += tf.reduce_sum(each * known) / tf.maximum(tf.reduce_sum(known), 1.0)
    return total


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)
