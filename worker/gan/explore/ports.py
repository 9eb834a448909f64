"""What exploring needs of a release's generator; the only place that knows how it is built."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.gan.release import CHUNK, Generator, load_generator

FILES = ("generator.npz", "generator.json")
"""What of a release a generator is built from."""


class Network(Protocol):
    """A generator network of any preset."""

    @property
    def variables(self) -> Sequence[Any]:
        """All that the network learned."""

    @property
    def first_kernel(self) -> Any:
        """The first dense layer's variable [latent + conditions, units], latent rows first."""

    def __call__(
        self, latents: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        """[n, latent], [n, attributes] (-1 unknown), [n, slots, 3] (NaN unknown) -> [-1, 1]."""


class Painter(Protocol):
    """A loaded release, as far as this package asks."""

    @property
    def network(self) -> Network:
        """The averaged generator."""

    @property
    def latent(self) -> int:
        """Numbers in a latent."""

    @property
    def size(self) -> int:
        """Side of the images in px."""

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (RGB)."""

    @property
    def vocabulary(self) -> Mapping[str, tuple[str, ...]]:
        """Attribute -> the values that may be asked for."""

    @property
    def slots(self) -> int:
        """Colours in a condition: 0 or 2."""

    def paint(
        self, latents: NDArray[np.float32], labels: NDArray[np.int32], colours: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """[n, latent], [n, attributes], [n, slots, 3] -> uint8 [n, size, size, channels]."""

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        """Return the conditions with what was left open drawn as the catalog has it."""


def load(files: Mapping[str, bytes]) -> Painter:
    """Build a painter from a release's files.

    Raises:
        ReleaseCorruptError: a file is missing, damaged, or does not fit.
    """
    return painter_of(load_generator(files))


def read_files(folder: Path) -> dict[str, bytes]:
    """Read those of `FILES` that the folder has; `load` says which are missing."""
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def painter_of(generator: Generator) -> Painter:
    """Return a loaded generator as this package sees it."""
    return _TwoArgumentPainter(generator)


def unknown_colours(count: int, slots: int) -> NDArray[np.float32]:
    """Return [count, slots, 3] of NaN: no colour is asked for."""
    return np.full((count, slots, 3), np.nan, np.float32)


def labels_of(
    painter: Painter, seeds: Sequence[int], condition: Mapping[str, str]
) -> NDArray[np.int32]:
    """Return int32 [n, attributes] for a condition; what it leaves open is drawn by each seed.

    Raises:
        InvalidInputError: an attribute or value that was not trained.
    """
    told = painter.complete(seeds, [condition] * len(seeds))
    known = [{k: v for k, v in each.items() if k in painter.vocabulary} for each in told]
    return codes_of(painter, known)


def codes_of(painter: Painter, conditions: Sequence[Mapping[str, str]]) -> NDArray[np.int32]:
    """Return int32 [n, attributes]; what a condition leaves open is -1.

    Raises:
        InvalidInputError: an attribute or value that was not trained.
    """
    codes = np.full((len(conditions), len(painter.vocabulary)), -1, np.int32)
    for row, condition in zip(codes, conditions, strict=True):
        for attribute, value in condition.items():
            place = _place("attribute", attribute, tuple(painter.vocabulary))
            row[place] = _place(f"value of {attribute!r}", value, painter.vocabulary[attribute])
    return codes


def _place(kind: str, name: str, allowed: tuple[str, ...]) -> int:
    if name not in allowed:
        raise InvalidInputError(
            f"This release knows no {kind} {name!r}. Allowed: {', '.join(allowed) or 'none'}.",
            allowed=list(allowed),
        )
    return allowed.index(name)


def check_labels(painter: Painter, labels: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return labels as int32, or say what is wrong with their shape or range.

    Raises:
        InvalidInputError: not [count, attributes], or a number outside the vocabulary.
    """
    counts = [len(values) for values in painter.vocabulary.values()]
    codes = np.asarray(labels, np.int32)
    if codes.shape != (count, len(counts)):
        raise InvalidInputError(
            f"Labels must be [{count}, {len(counts)}], one row an image and one column an "
            f"attribute; got {list(codes.shape)}."
        )
    if (codes < -1).any() or (codes >= np.array(counts, np.int32)).any():
        raise InvalidInputError(
            f"Labels must be from -1 (unknown) to below {counts}, by attribute; "
            f"got {codes.min(axis=0).tolist()} to {codes.max(axis=0).tolist()}."
        )
    return codes


def check_colours(
    painter: Painter, colours: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    """Return colours as float32, or say what is wrong with their shape.

    Raises:
        InvalidInputError: not [count, slots, 3].
    """
    values = np.asarray(colours, np.float32)
    if values.shape != (count, painter.slots, 3):
        raise InvalidInputError(
            f"Colours must be CIELAB [{count}, {painter.slots}, 3], NaN where unknown; "
            f"got {list(values.shape)}."
        )
    return values


class _TwoArgumentNetwork:
    """A network that knows no colours, called as one that does."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.variables: Sequence[Any] = network.variables
        self.first_kernel: Any = network.start.kernel

    def __call__(
        self, latents: tf.Tensor, labels: tf.Tensor, colours: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        del colours
        return self._network(latents, labels, training=training)


class _TwoArgumentPainter:
    """A `Generator` of a release without colours."""

    slots = 0

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self.network = _TwoArgumentNetwork(generator._network)  # noqa: SLF001 - the one place
        self.latent = generator._hyper.latent  # noqa: SLF001 - the one place
        self.size = generator.size
        self.channels = generator.channels
        self.vocabulary = generator.vocabulary

    def paint(
        self, latents: NDArray[np.float32], labels: NDArray[np.int32], colours: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        del colours
        chunks = [
            self._generator._chunk(latents[i : i + CHUNK], labels[i : i + CHUNK])  # noqa: SLF001
            for i in range(0, len(latents), CHUNK)
        ]
        shape = (0, self.size, self.size, self.channels)
        return np.concatenate(chunks) if chunks else np.zeros(shape, np.uint8)

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        return self._generator.complete(seeds, conditions)
