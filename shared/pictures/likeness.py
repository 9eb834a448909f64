"""Whether two pictures look the same: hashes find candidates, thumbnails confirm them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.pictures.resize import resize_pixels, to_channels

Pixels = NDArray[np.uint8]
Hashes = NDArray[np.uint64]

_SIDE: Final = 32
_WAVES: Final = 8
_THUMB: Final = 12
_IS_GROUND: Final = 16.0  # levels from the border's median
# Below this two thumbnails show the same picture: their mean difference, in levels of 255, over
# where either has its garment. Measured on Fashion-MNIST and on shop photographs: JPEG at quality
# 60, a resize to 70% and a trim by 1% stay below 10; other garments with like hashes start at 10,
# half of them above 29.
SAME: Final = 10.0


@lru_cache(maxsize=16)
def _cosines(side: int) -> NDArray[np.float32]:
    """The DCT-II's rows 1 to 8: the mean itself says nothing of what a picture shows."""
    waves = np.arange(1, _WAVES + 1)[:, None]
    places = np.arange(side)[None] + 0.5
    return np.cos(np.pi / side * waves * places).astype(np.float32)


def perceptual_hashes(pixels: Pixels) -> Hashes:
    """Return a hash for each picture of uint8 ``[n, size, size, channels]``, size 16 or more."""
    small = resize_pixels(pixels, min(_SIDE, pixels.shape[1]))
    grey = to_channels(small, 1)[..., 0].astype(np.float32)
    cosines = _cosines(grey.shape[1])
    waves = (cosines @ grey @ cosines.T).reshape(len(grey), _WAVES * _WAVES)
    signs = waves > np.median(waves, axis=1, keepdims=True)
    return np.packbits(signs, axis=1).view(">u8")[:, 0].astype(np.uint64)


def thumbnails(pixels: Pixels) -> Pixels:
    """Return uint8 ``[n, 12, 12, channels]``, what a candidate is confirmed with."""
    return resize_pixels(pixels, _THUMB)


def differences(first: Pixels, second: Pixels) -> NDArray[np.float32]:
    """Return how much pairs of thumbnails differ, in levels of 255 over the garments' area."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    ground = np.median(np.concatenate([b[:, 0], b[:, -1]], axis=1), axis=1)[:, None, None]
    garment = (np.abs(a - ground).max(axis=-1) > _IS_GROUND) | (
        np.abs(b - ground).max(axis=-1) > _IS_GROUND
    )
    total = (np.abs(a - b).mean(axis=-1) * garment).sum(axis=(1, 2))
    return np.asarray(total / np.maximum(garment.sum(axis=(1, 2)), 1), dtype=np.float32)


def as_signed(hashes: Hashes) -> list[int]:
    """Return hashes as signed integers, which fit a database's BIGINT."""
    return [int(value) for value in hashes.view(np.int64)]


def from_signed(values: Sequence[int]) -> Hashes:
    """Return the hashes that `as_signed` gave."""
    return np.array(values, dtype=np.int64).view(np.uint64)
