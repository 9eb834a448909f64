"""Pictures of designs: from the generator's array to encoded bytes."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.schemas.designs import ImageFormat


def encode(pixels: NDArray[np.uint8], *, size: int, image_format: ImageFormat) -> bytes:
    """Encode one picture.

    Args:
        pixels: uint8 [height, width, 1 or 3], grey or sRGB.
        size: side of the encoded picture, pixels; smaller than the array's means resized
            (Lanczos), never larger.
        image_format: PNG, or lossless WebP: at these sizes lossy coding saves little and smears.

    Returns:
        The file's bytes; the same input gives the same bytes.
    """
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    image = Image.fromarray(np.ascontiguousarray(flat))
    if image.width != size:
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    if image_format is ImageFormat.WEBP:
        image.convert("RGB").save(buffer, "WEBP", lossless=True, quality=60, method=4)
    else:
        image.save(buffer, "PNG", optimize=False, compress_level=6)
    return buffer.getvalue()
