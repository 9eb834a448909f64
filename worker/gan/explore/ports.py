"""What exploring needs of a release's generator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.colour import hex_to_lab
from shared.errors import InvalidInputError
from worker.gan.frame import Frame
from worker.gan.release import COLOUR_NAMES, load_generator

FILES = ("generator.npz", "generator.json")
"""What of a release a generator is built from."""


class Framed(Protocol):
    """What tells the size of pictures."""

    @property
    def frame(self) -> Frame:
        """The catalog's own size, and the square that the network works on."""


class Painter(Protocol):
    """A loaded release, as far as this package asks; `release.Generator` is one."""

    @property
    def network(self) -> Any:
        """The averaged generator, a Keras model of any preset.

        Called with latents [n, latent], labels [n, attributes] (-1 unknown) and colours
        [n, slots, 3] (NaN unknown), it gives [n, side, side, channels] in [-1, 1]. `first_kernel`
        is its first dense layer's variable [latent + conditions, units], latent rows first.
        """

    @property
    def latent(self) -> int:
        """Numbers in a latent."""

    @property
    def anatomy(self) -> Framed:
        """What the network was built to."""

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
        self, points: NDArray[np.float32], labels: NDArray[np.int32], colours: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """[n, latent], [n, attributes], [n, slots, 3] -> uint8 [n, height, width, channels]."""

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        """Return the conditions with what was left open drawn as the catalog has it."""


Conditions = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Labels int32 [n, attributes], -1 where open, and CIELAB [n, slots, 3], NaN where open."""


def load(files: Mapping[str, bytes]) -> Painter:
    """Build a painter from a release's files.

    Raises:
        ReleaseCorruptError: a file is missing, damaged, or does not fit.
    """
    return load_generator(files)


def read_files(folder: Path) -> dict[str, bytes]:
    """Read those of `FILES` that the folder has; `load` says which are missing."""
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def unknown_colours(count: int, slots: int) -> NDArray[np.float32]:
    """Return [count, slots, 3] of NaN: no colour is asked for."""
    return np.full((count, slots, 3), np.nan, np.float32)


def completed(painter: Painter, seeds: Sequence[int], condition: Mapping[str, str]) -> Conditions:
    """Return a condition once a seed; what it leaves open is drawn by each, as in a design.

    Raises:
        InvalidInputError: an attribute or value that was not trained.
    """
    return coded(painter, painter.complete(seeds, [condition] * len(seeds)))


def coded(painter: Painter, conditions: Sequence[Mapping[str, str]]) -> Conditions:
    """Return conditions as a network takes them; what they leave open stays open.

    Args:
        painter: a loaded release.
        conditions: attribute -> value; where the release takes colours, "colour" and
            "second_colour" -> `#rrggbb`.

    Raises:
        InvalidInputError: an attribute or value that was not trained.
    """
    labels = np.full((len(conditions), len(painter.vocabulary)), -1, np.int32)
    colours = unknown_colours(len(conditions), painter.slots)
    tints = COLOUR_NAMES[: painter.slots]
    for row, condition in enumerate(conditions):
        for name, value in condition.items():
            if name in tints and value.startswith("#"):
                colours[row, tints.index(name)] = hex_to_lab(value)
            else:
                place = _place("attribute", name, tuple(painter.vocabulary))
                known = painter.vocabulary[name]
                labels[row, place] = _place(f"value of {name!r}", value, known)
    return labels, colours


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
