"""The sample sheet of a training: the same latents each time, one row a condition."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from worker.gan import grid, latents
from worker.gan.combinations import Combinations
from worker.gan.data import Dataset
from worker.gan.frame import Frame
from worker.gan.measure.judge import Sampler

COLUMNS = 8

MOST_ROWS = 32
"""A vocabulary may have hundreds of values."""

AT_ONCE = 250
"""Images in a forward pass, so that a reading of thousands takes little memory."""

Sample = Callable[
    [NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]], NDArray[np.float32]
]
"""Latents, labels and colours -> images [n, side, side, channels] in [-1, 1]."""


class Samples:
    """What to draw for the sheet, fixed for the whole training."""

    def __init__(self, dataset: Dataset, combinations: Combinations, width: int) -> None:
        """Choose rows and latents.

        Args:
            dataset: the catalog.
            combinations: fill what a row leaves open.
            width: numbers in a latent.
        """
        self._frame = dataset.frame
        self._width = width
        values = next(iter(dataset.vocabulary.values()), ())
        rows: Sequence[int] = range(min(len(values), MOST_ROWS)) or [-1]
        self._rows = len(rows)
        labels = np.full((self._rows * COLUMNS, len(dataset.vocabulary)), -1, np.int32)
        labels[:, :1] = np.repeat(rows, COLUMNS)[:, np.newaxis]
        seeds = list(range(COLUMNS)) * self._rows
        self._labels = combinations.fill(labels, seeds)
        open_colours = np.full((len(labels), dataset.slots, 3), np.nan, np.float32)
        self._colours = combinations.tint(open_colours, self._labels, seeds)
        self._latents = np.tile(latents.draw(range(COLUMNS), width), (self._rows, 1))

    def draw(self, sample: Sample) -> NDArray[np.uint8]:
        """Return uint8 [rows, COLUMNS, height, width, channels], in the catalog's own size."""
        made = painted(sample, self._frame, self._latents, self._labels, self._colours)
        return made.reshape(self._rows, COLUMNS, *made.shape[1:])

    def sheet(self, sample: Sample) -> NDArray[np.uint8]:
        """Return the rows as one picture, uint8 [height, width, channels]."""
        return assembled(self.draw(sample))

    def sampler(self, sample: Sample) -> Sampler:
        """Return what a judge asks for garments."""
        return sampler(sample, frame=self._frame, width=self._width)


def sampler(sample: Sample, *, frame: Frame, width: int) -> Sampler:
    """Return what figures are read from: (labels, colours, seed) -> uint8 [n, h, w, c].

    Args:
        sample: paints latents of `width` numbers under conditions.
        frame: the size of the pictures.
        width: numbers in a latent.
    """

    def made(
        labels: NDArray[np.int32], colours: NDArray[np.float32], seed: int
    ) -> NDArray[np.uint8]:
        draw = np.random.Generator(np.random.Philox(key=seed))
        points = draw.standard_normal((len(labels), width), dtype=np.float32)
        return painted(sample, frame, points, labels, colours)

    return made


def painted(
    sample: Sample,
    frame: Frame,
    points: NDArray[np.float32],
    labels: NDArray[np.int32],
    colours: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Paint latents AT_ONCE at a time; uint8 [n, height, width, channels] of the frame."""
    parts = [
        grid.to_bytes(
            sample(points[i : i + AT_ONCE], labels[i : i + AT_ONCE], colours[i : i + AT_ONCE])
        )
        for i in range(0, len(points), AT_ONCE)
    ]
    return frame.outward(np.concatenate(parts))


def assembled(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay [rows, COLUMNS, h, w, c] out as one picture."""
    return grid.assemble(samples.reshape(-1, *samples.shape[2:]), COLUMNS)
