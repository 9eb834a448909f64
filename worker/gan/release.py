"""A release: the averaged generator with all it needs to be used, as four files."""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import InvalidInputError, ReleaseCorruptError
from worker.gan import grid, latents
from worker.gan.checkpoint import pack, unpack
from worker.gan.combinations import Combinations
from worker.gan.networks import GeneratorNetwork
from worker.gan.recipe import Hyperparameters

FORMAT = 1

CHUNK = 16
"""Images in a forward pass, always: a pass of another size may round differently, and then a
design would depend on what shared its batch."""


@dataclass(frozen=True)
class TrainedRelease:
    """What a training hands over.

    Attributes:
        weights: of the averaged generator, in its own order.
        hyper: the settings that shape the generator.
        size: side in px.
        channels: 1 or 3.
        vocabulary: attribute -> the values that may be asked for.
        combinations: the labels that go together, for what a condition leaves open.
        card: plain data for JSON: what it was trained on, how, and what it is for.
        grid: the last sample sheet, uint8 [height, width, channels].
    """

    weights: Sequence[NDArray[np.float32]]
    hyper: Hyperparameters
    size: int
    channels: int
    vocabulary: Mapping[str, tuple[str, ...]]
    combinations: Combinations
    card: Mapping[str, Any]
    grid: NDArray[np.uint8]

    def files(self) -> dict[str, bytes]:
        """Return generator.npz, generator.json, card.json and grid.png."""
        weights = pack({f"{i:03d}": array for i, array in enumerate(self.weights)})
        config = {
            "format": FORMAT,
            "size": self.size,
            "channels": self.channels,
            "vocabulary": {name: list(values) for name, values in self.vocabulary.items()},
            "combinations": self.combinations.as_lists(),
            "hyper": asdict(self.hyper),
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
        return {
            "generator.npz": weights,
            "generator.json": json.dumps(config, indent=1).encode(),
            "card.json": json.dumps(self.card, indent=1).encode(),
            "grid.png": grid.png(self.grid),
        }


class Generator:
    """A loaded release that makes images. Not for several threads at once."""

    def __init__(
        self, network: GeneratorNetwork, hyper: Hyperparameters, *, size: int, channels: int,
        vocabulary: Mapping[str, tuple[str, ...]], combinations: Combinations,
    ) -> None:  # fmt: skip
        self.size = size
        self.channels = channels
        self.vocabulary = vocabulary
        self._combinations = combinations
        self._hyper = hyper
        self._network = network
        self._forward = tf.function(
            lambda z, labels: network(z, labels, training=False),
            jit_compile=bool(tf.config.list_physical_devices("GPU")),
        )

    def generate(
        self,
        seeds: Sequence[int],
        conditions: Sequence[Mapping[str, str]],
        *,
        temper: float | Sequence[float] = 1.0,
    ) -> NDArray[np.uint8]:
        """Make one image a seed; the same seed and condition give the same bytes in any batch.

        Args:
            seeds: whole numbers from 0 to 2**63 - 1.
            conditions: for each seed, attribute -> value; attributes left out are drawn, by the
                seed, from what the catalog has with the others.
            temper: scales the latents, all alike or each by its own; below 1 gives more ordinary
                and cleaner images, with less variety. After two minutes on Fashion-MNIST 0.7 raised
                the share classified as asked from 86% to 93%, for a fifth less spread within a
                class.

        Returns:
            uint8 [n, size, size, channels]

        Raises:
            InvalidInputError: an attribute or value that was not trained, a seed out of range,
                or lists of unequal length.
        """
        if len(seeds) != len(conditions):
            raise InvalidInputError(
                f"Each seed needs its condition; got {len(seeds)} and {len(conditions)}."
            )
        labels = self._combinations.fill(self._labels(conditions), seeds)
        points = latents.draw(seeds, self._hyper.latent)
        points *= np.broadcast_to(np.asarray(temper, np.float32), len(seeds))[:, np.newaxis]
        chunks = [
            self._chunk(points[i : i + CHUNK], labels[i : i + CHUNK])
            for i in range(0, len(seeds), CHUNK)
        ]
        shape = (0, self.size, self.size, self.channels)
        return np.concatenate(chunks) if chunks else np.zeros(shape, np.uint8)

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        """Return the conditions as `generate` uses them, with what was left open as it is drawn.

        An attribute that the drawn garment does not have either stays left out.

        Raises:
            InvalidInputError: an attribute or value that was not trained.
        """
        labels = self._combinations.fill(self._labels(conditions), seeds)
        return [
            {
                name: values[code]
                for (name, values), code in zip(self.vocabulary.items(), row, strict=True)
                if code >= 0
            }
            for row in labels.tolist()
        ]

    def _chunk(self, points: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
        missing = CHUNK - len(points)
        z = np.pad(points, ((0, missing), (0, 0)))
        filled = np.pad(labels, ((0, missing), (0, 0)), constant_values=-1)
        images = self._forward(tf.constant(z), tf.constant(filled)).numpy()
        return grid.to_bytes(images[: len(points)])

    def _labels(self, conditions: Sequence[Mapping[str, str]]) -> NDArray[np.int32]:
        labels = np.full((len(conditions), len(self.vocabulary)), -1, np.int32)
        for row, condition in enumerate(conditions):
            for attribute, value in condition.items():
                column = self._position("attribute", attribute, tuple(self.vocabulary))
                labels[row, column] = self._position(
                    f"value of {attribute!r}", value, self.vocabulary[attribute]
                )
        return labels

    @staticmethod
    def _position(kind: str, name: str, allowed: tuple[str, ...]) -> int:
        if name not in allowed:
            raise InvalidInputError(
                f"This release knows no {kind} {name!r}. Allowed: {', '.join(allowed) or 'none'}.",
                allowed=list(allowed),
            )
        return allowed.index(name)


def load_generator(files: Mapping[str, bytes]) -> Generator:
    """Build a generator from a release's files; generator.npz and generator.json are enough.

    Raises:
        ReleaseCorruptError: a file is missing, damaged, of a later format, or does not fit.
    """
    try:
        config = json.loads(files["generator.json"])
        weights = files["generator.npz"]
        if config["format"] != FORMAT:
            raise ReleaseCorruptError(
                f"This release has format {config['format']}; this version reads {FORMAT}."
            )
        if hashlib.sha256(weights).hexdigest() != config["weights_sha256"]:
            raise ReleaseCorruptError("generator.npz is not the file that generator.json names.")
        return _build(config, unpack(weights))
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OSError,
        zipfile.BadZipFile,
    ) as problem:
        raise ReleaseCorruptError(
            f"The release cannot be read ({type(problem).__name__}: {problem}). "
            "Fetch its files again, or train anew."
        ) from problem


def _build(config: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]) -> Generator:
    hyper = Hyperparameters.from_dict(config["hyper"])
    vocabulary = {name: tuple(values) for name, values in config["vocabulary"].items()}
    shape = {"size": config["size"], "channels": config["channels"]}
    network = GeneratorNetwork(hyper, values=[len(v) for v in vocabulary.values()], **shape)
    network.set_weights([arrays[name] for name in sorted(arrays)])
    combinations = Combinations.from_lists(config["combinations"])
    return Generator(network, hyper, vocabulary=vocabulary, combinations=combinations, **shape)
