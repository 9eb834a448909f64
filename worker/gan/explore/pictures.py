"""Pictures from outside, fitted to what a release makes: its side, its channels."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from shared.errors import InvalidInputError, UnreadableSourceError

GREY, RGB, RGBA = 1, 3, 4


def read(file: Path) -> NDArray[np.uint8]:
    """Read a picture upright, as uint8 [height, width, 4].

    Raises:
        UnreadableSourceError: it is no picture, or a damaged one.
    """
    try:
        with Image.open(file) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGBA"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as problem:
        raise UnreadableSourceError(
            f"{file} is not a readable picture ({problem}). Give a PNG, JPEG or WebP file."
        ) from problem


def fit(image: NDArray[np.uint8], *, size: int, channels: int) -> NDArray[np.uint8]:
    """Resize a picture whole into a white square, as catalogs are.

    A picture that has the size already keeps its pixels.

    Args:
        image: uint8 [height, width] or [height, width, 1, 3 or 4]; what is transparent turns white.
        size: side in px.
        channels: 1 or 3 of the result.

    Returns:
        uint8 [size, size, channels]

    Raises:
        InvalidInputError: another type or shape.
    """
    picture = _over_white(image).convert("L" if channels == GREY else "RGB")
    if picture.size != (size, size):
        fitted = ImageOps.contain(picture, (size, size), Image.Resampling.LANCZOS)
        picture = Image.new(picture.mode, (size, size), "white")
        picture.paste(fitted, ((size - fitted.width) // 2, (size - fitted.height) // 2))
    return np.asarray(picture).reshape(size, size, channels)


def _over_white(image: NDArray[np.uint8]) -> Image.Image:
    shape = image.shape if image.ndim > 2 else (*image.shape, GREY)  # noqa: PLR2004 - height, width
    if image.dtype != np.uint8 or len(shape) != 3 or shape[2] not in {GREY, RGB, RGBA}:  # noqa: PLR2004
        raise InvalidInputError(
            "A picture must be uint8 [height, width] or [height, width, 1, 3 or 4]; "
            f"got {image.dtype} {list(image.shape)}."
        )
    if 0 in shape:
        raise InvalidInputError(f"A picture must have pixels; got {list(image.shape)}.")
    picture = Image.fromarray(image.reshape(shape[:2]) if shape[2] == GREY else image)
    if shape[2] != RGBA:
        return picture
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    return ground
