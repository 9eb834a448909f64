"""Looking at what was made: embeddings, colours, and whether it is a copy of a garment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.pictures.resize import resize_pixels, to_channels
from worker.designs.batch import Drawn
from worker.pictures.colours import main_and_second, measure_colours
from worker.pictures.crowd import Crowd

Features = NDArray[np.float32]
Embed = Callable[[NDArray[np.uint8]], Features]

_RGB: Final = 3


@dataclass(frozen=True)
class Space:
    """A space in which garments and designs can be compared.

    Attributes:
        embed: uint8 [n, size, size, channels] -> float32 [n, d].
        garments: those that the release learned from, by their features.
        copy: a design nearer to a garment than this is a copy: the first percentile of the
            distances from garments that were held out to those that were not.
    """

    embed: Embed
    garments: Crowd
    copy: float

    def copies(self, features: Features) -> NDArray[np.bool_]:
        """Return which rows [n, d] are as near to a garment as copies are, [n]."""
        near: NDArray[np.bool_] = self.garments.nearest(features) < self.copy
        return near


@dataclass(frozen=True)
class Eye:
    """Sees designs as the catalog's encoder does.

    Attributes:
        encoder: the digest of the encoder whose embeddings these are.
        size: side of the pictures that it looks at, px.
        channels: 1 or 3.
        learned: the encoder's own space.
        plain: a second one that learned nothing, near to pixels. What is near in both is a copy;
            what is near in one may be of the same sort only.
    """

    encoder: str
    size: int
    channels: int
    learned: Space
    plain: Space

    @property
    def nbytes(self) -> int:
        """Memory that it holds, bytes."""
        return self.learned.garments.nbytes + self.plain.garments.nbytes

    def look(self, drawn: Sequence[Drawn]) -> list[Drawn]:
        """Return designs with their embeddings and colours, and whether they are copies."""
        if not drawn:
            return []
        pixels = np.stack([one.pixels for one in drawn])
        seen = to_channels(resize_pixels(pixels, self.size), self.channels)
        embeddings = self.learned.embed(seen)
        near = self.learned.copies(embeddings)
        # The second look costs as much as the first, and is asked for one in a hundred.
        doubtful = np.flatnonzero(near)
        if len(doubtful):
            near[doubtful] = self.plain.copies(self.plain.embed(seen[doubtful]))
        colours = colours_of(pixels)
        return [
            replace(one, embedding=embedding, colours=labs, is_copy=bool(copy))
            for one, embedding, labs, copy in zip(drawn, embeddings, colours, near, strict=True)
        ]


def colours_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the main and second colour of pictures, CIELAB float32 [n, 2, 3]; NaN where none.

    Grey pictures have none: their greys are light and shade.
    """
    if pixels.shape[-1] != _RGB:
        return np.full((len(pixels), 2, _RGB), np.nan, np.float32)
    return main_and_second(each.palette for each in measure_colours(pixels)).astype(np.float32)
