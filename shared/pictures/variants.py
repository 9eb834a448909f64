"""Variants of a picture that we made or took in ourselves: another size, another format."""

from io import BytesIO
from typing import Any, Final

from PIL import Image, PngImagePlugin

LARGEST_FACTOR: Final = 8
"""A side grows by this much at most: beyond it there is nothing left to see but the kernel."""

_WEBP: Final[dict[str, Any]] = {"quality": 88, "method": 4}
_AVIF: Final[dict[str, Any]] = {"quality": 65, "speed": 8}
_XMP: Final = "XML:com.adobe.xmp"


def side_of(side: int, *, most: int) -> int:
    """Return the side that a picture gets.

    A larger picture is shrunk to ``most``. A smaller one grows by the largest whole number that
    fits, at most eightfold, so that each of its pixels gets as much room as the others.

    Args:
        side: the picture's longer side, pixels, 1 or more.
        most: the variant's side, pixels.
    """
    return most if side >= most else side * min(most // side, LARGEST_FACTOR)


def rendered(data: bytes, *, side: int | None, to: str) -> bytes:
    """Return a picture's first frame in another size and format, with the XMP that it carries.

    Lanczos both ways: widened where a picture shrinks, so that fabric does not turn into moire.

    Args:
        data: a file from our own store; it is trusted.
        side: of the longer side, pixels; None keeps the size.
        to: ``png`` (lossless), ``webp`` or ``avif`` (lossy, hardly to be seen).

    Raises:
        OSError: Pillow was built without the format.
    """
    with Image.open(BytesIO(data)) as image:
        packet = image.info.get("xmp")
        picture = image.convert("L" if image.mode == "L" and to == "png" else "RGB")
    if side is not None and side != max(picture.size):
        scale = side / max(picture.size)
        size = tuple(max(1, round(one * scale)) for one in picture.size)
        picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    target = BytesIO()
    picture.save(target, to.upper(), **_options(to, packet if isinstance(packet, bytes) else None))
    return target.getvalue()


def side_in(data: bytes) -> int:
    """Return the longer side of a picture from our own store, pixels; no pixel is decoded."""
    with Image.open(BytesIO(data)) as image:
        return max(image.size)


def _options(to: str, packet: bytes | None) -> dict[str, Any]:
    if to == "png":
        chunks = PngImagePlugin.PngInfo()
        if packet is not None:
            chunks.add_itxt(_XMP, packet.decode())
        return {"pnginfo": chunks, "compress_level": 4}
    carried = {} if packet is None else {"xmp": packet}
    return {**(_WEBP if to == "webp" else _AVIF), **carried}
