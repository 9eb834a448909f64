"""Pictures of designs: from the generator's array to encoded bytes."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from shared.schemas.designs import ImageFormat


def encode(
    pixels: NDArray[np.uint8], *, size: int, image_format: ImageFormat, xmp: bytes | None = None
) -> bytes:
    """Encode one picture.

    Args:
        pixels: uint8 [height, width, 1 or 3], grey or sRGB.
        size: side of the encoded picture, pixels; smaller than the array's means resized
            (Lanczos), never larger.
        image_format: PNG, or lossless WebP: at these sizes lossy coding saves little and smears.
        xmp: an XMP packet to carry, such as `shared.provenance.mark.stamp` gives; it changes no
            pixel.

    Returns:
        The file's bytes; the same input gives the same bytes.
    """
    image = _image(pixels, size=size)
    carried = carrying(xmp, image_format)
    buffer = BytesIO()
    if image_format is ImageFormat.WEBP:
        image.convert("RGB").save(buffer, "WEBP", lossless=True, quality=60, method=4, **carried)
    else:
        image.save(buffer, "PNG", optimize=False, compress_level=6, **carried)
    return buffer.getvalue()


def animate(
    frames: Sequence[NDArray[np.uint8]], *, size: int, milliseconds: int, xmp: bytes | None = None
) -> bytes:
    """Encode an animation: lossless WebP that goes there and back without end.

    Args:
        frames: each uint8 [height, width, 1 or 3].
        size: side of the encoded pictures, pixels.
        milliseconds: how long a frame stays.
        xmp: an XMP packet to carry.
    """
    images = [_image(pixels, size=size).convert("RGB") for pixels in frames]
    there_and_back = [*images, *images[-2:0:-1]]
    buffer = BytesIO()
    there_and_back[0].save(
        buffer, "WEBP", save_all=True, append_images=there_and_back[1:], lossless=True,
        quality=60, method=4, duration=milliseconds, loop=0, **carrying(xmp, ImageFormat.WEBP),
    )  # fmt: skip
    return buffer.getvalue()


def carrying(xmp: bytes | None, image_format: ImageFormat) -> dict[str, Any]:
    """Return what Pillow's `save` must be told so that a file carries an XMP packet.

    PNG keeps it in an uncompressed iTXt chunk of the keyword that XMP reserves, WebP, of one
    picture or many, in its own chunk.
    """
    if xmp is None:
        return {}
    if image_format is ImageFormat.WEBP:
        return {"xmp": xmp}
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return {"pnginfo": chunks}


def _image(pixels: NDArray[np.uint8], *, size: int) -> Image.Image:
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    image = Image.fromarray(np.ascontiguousarray(flat))
    if image.width != size:
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return image
