"""Resizing many square pictures, antialiased, and changing their channels."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

_LOBES: Final = 3  # Lanczos-3, as Pillow's own best filter
# Up to this side all pictures are resized at once as matrix products. Above it each goes through
# Pillow: products that large are cut among BLAS threads, which wait for each other in busy loops
# and took ten times as long beside a training on the same cores.
_LARGEST_PRODUCT: Final = 48
_AT_ONCE: Final = 256
# ITU-R BT.601, as Pillow's convert("L"), so that a picture turned grey here or there is the same.
_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def resize_pixels(pixels: Pixels, size: int) -> Pixels:
    """Resize uint8 ``[n, side, side, channels]`` to ``[n, size, size, channels]``."""
    count, side, _, channels = pixels.shape
    if side == size:
        return pixels
    resized = np.empty((count, size, size, channels), dtype=np.uint8)
    if max(side, size) > _LARGEST_PRODUCT:
        for index in range(count):
            resized[index] = _resize_one(pixels[index], size)
        return resized
    for start in range(0, count, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        resized[part] = np.clip(np.rint(_product(pixels[part].astype(np.float32), size)), 0, 255)
    return resized


def to_channels(pixels: Pixels, channels: int) -> Pixels:
    """Return ``[..., channels]``: grey repeated into three, or colour weighed into luma."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 1:
        return np.asarray(np.rint(pixels @ _LUMA), dtype=np.uint8)[..., None]
    return np.repeat(pixels, channels, axis=-1)


def _resize_one(pixels: Pixels, size: int) -> Pixels:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    resized = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8).reshape(size, size, pixels.shape[2])


def _product(pixels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    count, side, _, channels = pixels.shape
    matrix = _lanczos(side, size)
    # The channels are moved out of the way in between: BLAS is of no use for a last side of 3.
    rows = (matrix @ pixels.reshape(count, side, side * channels)).reshape(-1, side, channels)
    lines = np.ascontiguousarray(rows.transpose(0, 2, 1)) @ matrix.T
    return np.asarray(lines.reshape(count, size, channels, size).transpose(0, 1, 3, 2))


@lru_cache(maxsize=64)
def _lanczos(source: int, target: int) -> NDArray[np.float32]:
    """Return ``[target, source]`` weights that resample a line; each row sums to 1.

    When the line gets shorter the filter is widened by the same factor, so fine patterns blur
    and do not alias.
    """
    scale = source / target
    centres = (np.arange(target) + 0.5) * scale - 0.5
    offsets = (np.arange(source)[None] - centres[:, None]) / max(scale, 1.0)
    weights = np.sinc(offsets) * np.sinc(offsets / _LOBES) * (np.abs(offsets) < _LOBES)
    matrix = np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
    matrix.setflags(write=False)
    return matrix
