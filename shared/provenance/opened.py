"""A picture file from anywhere, opened within bounds: its mark, its pixels' hashes, its likeness.

The file is not trusted. What it claims in its header is compared with the limits before a pixel is
decoded; frames are decoded one by one and only their hash is kept.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from shared.errors import TooLargeError, UnreadableSourceError
from shared.pictures.likeness import as_signed, perceptual_hashes, thumbnails
from shared.provenance import mark
from shared.schemas.provenance import Mark

FORMATS: Final = ("PNG", "WEBP", "JPEG", "AVIF")
# A frame takes four bytes a pixel while it is decoded, and four more as RGB: 100 MB at most.
MOST_PIXELS: Final = 12_000_000
MOST_FRAMES: Final = 256
# Of all frames together: a second or two of decoding.
MOST_DECODED: Final = 48_000_000
_LEAST_SIDE: Final = 8  # the hash needs as many waves
_SIDE: Final = 32  # what the hash is taken from


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """What there is to know of a picture file.

    Attributes:
        media_type: the file's registered media type, by its bytes.
        frames: pictures in it; 1 unless it is an animation.
        pixels_sha256: of size, number of frames, and every frame as RGB (transparent parts
            white), in hex. Two files with equal pixels have it in common, whatever their format.
        perceptual_hash: of the first frame, a signed integer of 64 bits.
        thumbnail: uint8 ``[1, 12, 12, 3]``, of the first frame.
        mark: Toile's mark in its XMP, true or not.
    """

    media_type: str
    frames: int
    pixels_sha256: str
    perceptual_hash: int
    thumbnail: NDArray[np.uint8]
    mark: Mark | None


def look(content: bytes) -> Opened:
    """Open a picture file.

    Raises:
        UnreadableSourceError: it is neither PNG, WebP, JPEG nor AVIF, is damaged, or is tiny.
        TooLargeError: it has more pixels or frames than the limits above.
    """
    with _header(content) as image:
        frames = int(getattr(image, "n_frames", 1))
        _check(*image.size, frames)
        digest = hashlib.sha256(f"{frames} {image.width} {image.height}\n".encode())
        try:
            first, likeness = _decode(image, frames, digest)
        # Pillow's decoders answer a damaged file with any of a dozen exceptions.
        except Exception as error:
            raise _unreadable(f"it is cut short or damaged ({error})") from error
        packet = image.info.get("xmp")
        return Opened(
            media_type=str(Image.MIME[str(image.format)]),
            frames=frames,
            pixels_sha256=digest.hexdigest(),
            perceptual_hash=first,
            thumbnail=likeness,
            mark=mark.read(packet) if isinstance(packet, bytes) else None,
        )


def _header(content: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(f"it is too large ({error})") from None
    except UnidentifiedImageError:
        raise _unreadable(f"it is no picture; expected {', '.join(FORMATS)}") from None
    except Exception as error:  # as in `look`
        raise _unreadable(f"its header is damaged ({error})") from error


def _check(width: int, height: int, frames: int) -> None:
    told = f"it has {frames} frames of {width} x {height} px"
    if (
        width * height > MOST_PIXELS
        or frames > MOST_FRAMES
        or width * height * frames > MOST_DECODED
    ):
        raise _too_large(told)
    if min(width, height) < _LEAST_SIDE:
        raise _unreadable(f"{told}; expected {_LEAST_SIDE} px or more on each side")


def _decode(
    image: Image.Image, frames: int, digest: "hashlib._Hash"
) -> tuple[int, NDArray[np.uint8]]:
    """Add every frame to the digest; return the first one's hash and thumbnail."""
    first: Image.Image | None = None
    for frame in _frames(image, frames):
        first = first or frame
        digest.update(frame.tobytes())
    if first is None:
        message = "it holds no picture"
        raise ValueError(message)
    side = min(_SIDE, *first.size)
    small = np.asarray(first.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0))[None]
    return as_signed(perceptual_hashes(small))[0], thumbnails(small)


def _frames(image: Image.Image, frames: int) -> Iterator[Image.Image]:
    for position in range(frames):
        image.seek(position)
        yield _flat(image)


def _flat(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _unreadable(reason: str) -> UnreadableSourceError:
    return UnreadableSourceError(f"The picture cannot be read: {reason}. Send the whole file.")


def _too_large(reason: str) -> TooLargeError:
    return TooLargeError(
        f"The picture is not opened: {reason}; at most {MOST_PIXELS} px a frame, {MOST_FRAMES} "
        f"frames and {MOST_DECODED} px in all are. Send a smaller copy.",
        pixels=MOST_PIXELS,
        frames=MOST_FRAMES,
    )
