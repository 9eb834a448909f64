"""Pictures of any size in the square that the networks work on, and back.

The networks want squares whose side divides by four, from 16 to 256 px. Others are resized (only
when out of that range) and padded by repeating their edges; what is generated is cropped and
resized back, so that a caller sees the catalog's own size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SMALLEST, LARGEST, STEP = 16, 256, 4

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """The size of a catalog's pictures, in px."""

    height: int
    width: int

    @property
    def fitted(self) -> tuple[int, int]:
        """Height and width after resizing: as they are, unless too small or too large."""
        longest = max(self.height, self.width)
        target = min(max(longest, SMALLEST), LARGEST)
        if target == longest:
            return self.height, self.width
        return _scaled(self.height, target, longest), _scaled(self.width, target, longest)

    @property
    def side(self) -> int:
        """Side of the square that the networks work on."""
        return -(-max(self.fitted) // STEP) * STEP

    @property
    def is_plain(self) -> bool:
        """Whether pictures of this size need no change."""
        return self.height == self.width == self.side

    def inward(self, images: Pixels) -> Pixels:
        """uint8 [n, height, width, channels] -> [n, side, side, channels]."""
        if self.is_plain:
            return images
        return np.pad(_resized(images, self.fitted), (((0, 0)), *self._margins(), (0, 0)), "edge")

    def outward(self, images: Pixels) -> Pixels:
        """uint8 [n, side, side, channels] -> [n, height, width, channels]."""
        if self.is_plain:
            return images
        (top, _), (left, _) = self._margins()
        height, width = self.fitted
        middle = images[:, top : top + height, left : left + width]
        return _resized(middle, (self.height, self.width))

    def words(self) -> str | None:
        """Say what is done to the pictures; None where nothing is."""
        if self.is_plain:
            return None
        resized = "resized and " if self.fitted != (self.height, self.width) else ""
        return (
            f"Pictures of {self.width}x{self.height} px are {resized}padded to "
            f"{self.side}x{self.side} px for the networks; designs are brought back."
        )

    def _margins(self) -> tuple[tuple[int, int], tuple[int, int]]:
        spare = [self.side - length for length in self.fitted]
        top, left = (length // 2 for length in spare)
        return (top, spare[0] - top), (left, spare[1] - left)


def _scaled(length: int, target: int, longest: int) -> int:
    return max(1, round(length * target / longest))


def _resized(images: Pixels, size: tuple[int, int]) -> Pixels:
    if images.shape[1:3] == size:
        return images
    made = np.empty((len(images), *size, images.shape[3]), np.uint8)
    for place, image in enumerate(images):
        picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
        smaller = picture.resize((size[1], size[0]), Image.Resampling.LANCZOS)
        made[place] = np.asarray(smaller).reshape(made.shape[1:])
    return made
