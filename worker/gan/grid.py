"""Sheets of many images in one, and PNG bytes."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def to_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn [-1, 1] into 0..255, rounding to the nearest; any shape."""
    whole: NDArray[np.uint8] = np.rint(np.clip((images + 1.0) * 127.5, 0, 255)).astype(np.uint8)
    return whole


def assemble(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Lay [n, size, size, channels] out in rows, left to right; the last row is filled with white.

    Returns:
        [rows * size, columns * size, channels]
    """
    count, size, _, channels = images.shape
    rows = -(-count // columns)
    sheet = np.full((rows * columns, size, size, channels), 255, np.uint8)
    sheet[:count] = images
    tiles = sheet.reshape(rows, columns, size, size, channels).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(rows * size, columns * size, channels)


def png(image: NDArray[np.uint8], *, scale: int = 1) -> bytes:
    """Encode [height, width, 1 or 3]; `scale` repeats every pixel, so that small ones are seen."""
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if scale > 1:
        larger = (picture.width * scale, picture.height * scale)
        picture = picture.resize(larger, Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
