"""FID and Inception Score by their real names, for an operator who has Inception's weights."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.gan.data import Dataset
from worker.gan.measure.distances import Moments, classifier_score, frechet_distance
from worker.gan.measure.figures import Figure, key
from worker.gan.measure.judge import AT_ONCE, Sampler, rows, sampled

SIDE: Final = 299

_BATCH: Final = 32
_BLOCK: Final = 2**20
_RGB: Final = 3

NOTE: Final = (
    "by Keras' InceptionV3, inputs resized to 299 px with antialiasing; values of the original "
    "TensorFlow graph differ"
)


class Inception:
    """InceptionV3 with weights that the operator has vouched for.

    Attributes:
        letter: what stands in keys.
        digest: the first 8 hex digits of the weights file's SHA-256.
    """

    letter: ClassVar[str] = "keras-inception-v3"

    def __init__(self, network: Any, digest: str) -> None:
        self.digest = digest
        self._run = tf.function(lambda x: network(_prepared(x), training=False))

    @classmethod
    def load(cls, weights: Path, *, sha256: str, top: bool) -> "Inception":
        """Read a weights file that Keras publishes for InceptionV3, after checking its hash.

        Args:
            weights: inception_v3_weights_tf_dim_ordering_tf_kernels.h5, or the same with _notop.
            sha256: what the file's SHA-256 must be, 64 hex digits.
            top: True for the file with the classes (scores), False for _notop (distances).

        Raises:
            InvalidInputError: there is no such file, it has another hash, or does not fit.
        """
        if not weights.is_file():
            raise InvalidInputError(
                f"There is no weights file {weights}. FID and Inception Score need Keras' "
                "published InceptionV3 weights; name the file and its SHA-256, or read the "
                "in-domain figures, which need nothing."
            )
        found = _sha256(weights)
        if found != sha256.lower():
            raise InvalidInputError(
                f"{weights.name} has the SHA-256 {found}, but {sha256.lower()} was expected. "
                "Fetch the file again, or correct the expected value."
            )
        pooling = None if top else "avg"
        network = keras.applications.InceptionV3(include_top=top, weights=None, pooling=pooling)
        try:
            network.load_weights(weights)
        except (ValueError, OSError, KeyError) as problem:
            kind = "with" if top else "without"
            raise InvalidInputError(
                f"{weights.name} does not hold InceptionV3 {kind} its classes ({problem}). "
                "Distances take the _notop file, scores the other one."
            ) from problem
        return cls(network, found[:8])

    def read(self, chunks: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return features [n, 2048], or probabilities [n, 1000] with the classes."""
        found = [
            self._run(tf.constant(images[start : start + _BATCH])).numpy()
            for images in chunks
            for start in range(0, len(images), _BATCH)
        ]
        return np.concatenate(found)


def fid_inception(
    sampler: Sampler,
    reference: Dataset,
    *,
    weights: Path | None,
    sha256: str,
    n: int = 10_000,
    seed: int = 0,
) -> Figure:
    """Return the Frechet Inception Distance of n generated garments to a reference.

    Heusel et al. 2017, arXiv 1706.08500. Takes some tenth of a second an image on two cores.

    Args:
        sampler: makes images.
        reference: real garments; all are looked at.
        weights: Keras' _notop file.
        sha256: of that file.
        n: garments to make, to the reference's own conditions.
        seed: every draw follows from it.

    Raises:
        InvalidInputError: no file was named, or it is not the expected one.
    """
    network = Inception.load(_named(weights), sha256=sha256, top=False)
    real = Moments.of(network.read(_chunks(reference.images)))
    value = frechet_distance(real, Moments.of(network.read(_made(sampler, reference, n, seed))))
    note = f"against {reference.n} garments, {NOTE}"
    return Figure(_key("fid_inception", network), value, n=n, note=note)


def inception_score(
    sampler: Sampler,
    reference: Dataset,
    *,
    weights: Path | None,
    sha256: str,
    n: int = 10_000,
    seed: int = 0,
) -> Figure:
    """Return the Inception Score of n generated garments; the reference's own is the ceiling.

    Salimans et al. 2016, arXiv 1606.03498, over all n at once. The classes are those of ImageNet:
    of garments the score says little.

    Args:
        sampler: makes images.
        reference: real garments, whose conditions are asked for.
        weights: Keras' file with the classes.
        sha256: of that file.
        n: garments to make.
        seed: every draw follows from it.

    Raises:
        InvalidInputError: no file was named, or it is not the expected one.
    """
    network = Inception.load(_named(weights), sha256=sha256, top=True)
    value = classifier_score(network.read(_made(sampler, reference, n, seed)))
    real = classifier_score(network.read(_chunks(reference.images)))
    note = f"over all images at once, {NOTE}"
    return Figure(_key("inception_score", network), value, n=n, floor=1.0, ceiling=real, note=note)


def _named(weights: Path | None) -> Path:
    if weights is None:
        raise InvalidInputError(
            "FID and Inception Score are only what they are called with Inception's own weights, "
            "and none were named. Name Keras' published InceptionV3 file and its SHA-256."
        )
    return weights


def _key(family: str, network: Inception) -> str:
    return key(family, extractor=network.letter, digest=network.digest)


def _made(
    sampler: Sampler, reference: Dataset, n: int, seed: int
) -> Iterator[NDArray[np.uint8]]:  # fmt: skip
    order = rows(reference.n, n, seed=seed)
    return sampled(
        sampler, reference.label_matrix()[order], reference.colour_matrix()[order], seed=seed
    )


def _chunks(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    return (images[start : start + AT_ONCE] for start in range(0, len(images), AT_ONCE))


def _prepared(images: tf.Tensor) -> tf.Tensor:
    """uint8 [n, height, width, 1 or 3] -> [n, 299, 299, 3] in [-1, 1], as Keras trained it."""
    x = tf.cast(images, tf.float32)
    x = x if images.shape[-1] == _RGB else tf.image.grayscale_to_rgb(x)
    return tf.image.resize(x, (SIDE, SIDE), antialias=True) / 127.5 - 1.0


def _sha256(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            whole.update(block)
    return whole.hexdigest()
