"""Opening a picture file from anywhere."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.errors import TooLargeError, UnreadableSourceError
from shared.pictures.likeness import SAME, as_signed, differences, perceptual_hashes
from shared.provenance.mark import stamp
from shared.provenance.opened import MOST_FRAMES, MOST_PIXELS, look
from shared.schemas.designs import ImageFormat
from shared.schemas.provenance import Mark
from tests.fixtures.shop import CATEGORIES, COLOURS, draw
from worker.designs.images import carrying, encode

Pixels = NDArray[np.uint8]

MARK = Mark(release_id="rel_1", seed=7, job_id="job_1", design_id="des_1", tool="Toile 1.2")
PICTURE: Pixels = draw("coat", "navy", seed=1)


def saved(picture: Pixels, format_: str, **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, format_, **options)
    return buffer.getvalue()


def animated(pictures: list[Pixels]) -> bytes:
    first, *others = [Image.fromarray(picture) for picture in pictures]
    buffer = BytesIO()
    options = carrying(stamp(MARK), ImageFormat.WEBP)
    first.save(buffer, "WEBP", save_all=True, append_images=others, lossless=True, **options)
    return buffer.getvalue()


def bits(first: int, second: int) -> int:
    return ((first ^ second) & (2**64 - 1)).bit_count()


@pytest.mark.parametrize("image_format", list(ImageFormat))
@pytest.mark.parametrize("channels", [1, 3])
def test_a_stamp_changes_no_pixel_and_is_found_again(
    image_format: ImageFormat, channels: int
) -> None:
    pixels = PICTURE[..., :channels]
    plain = encode(pixels, size=32, image_format=image_format)
    stamped = encode(pixels, size=32, image_format=image_format, xmp=stamp(MARK))
    assert stamped == encode(pixels, size=32, image_format=image_format, xmp=stamp(MARK))
    assert look(stamped).mark == MARK
    assert look(plain).mark is None
    assert look(stamped).pixels_sha256 == look(plain).pixels_sha256
    assert len(plain) < len(stamped) < len(plain) + 1200


def test_an_animation_carries_its_mark_and_every_frame_counts() -> None:
    frames = [PICTURE, 255 - PICTURE, PICTURE // 2]
    opened = look(animated(frames))
    assert (opened.mark, opened.frames, opened.media_type) == (MARK, 3, "image/webp")
    changed = look(animated([*frames[:2], PICTURE // 3]))
    assert changed.pixels_sha256 != opened.pixels_sha256
    assert changed.perceptual_hash == opened.perceptual_hash


def test_equal_pixels_have_one_hash_whatever_their_format() -> None:
    png, webp = saved(PICTURE, "PNG"), saved(PICTURE, "WEBP", lossless=True)
    assert look(png).pixels_sha256 == look(webp).pixels_sha256
    assert look(saved(255 - PICTURE, "PNG")).pixels_sha256 != look(png).pixels_sha256


def test_the_worker_and_the_front_take_the_same_hash() -> None:
    assert (
        look(saved(PICTURE, "PNG")).perceptual_hash
        == as_signed(perceptual_hashes(PICTURE[None]))[0]
    )


def test_a_recompressed_or_resized_copy_looks_the_same_and_another_garment_does_not() -> None:
    first = look(saved(PICTURE, "PNG"))
    larger = np.asarray(Image.fromarray(PICTURE).resize((300, 300)))
    for copy in (saved(PICTURE, "JPEG", quality=70), saved(larger, "JPEG", quality=80)):
        opened = look(copy)
        assert bits(opened.perceptual_hash, first.perceptual_hash) <= 10
        assert differences(opened.thumbnail, first.thumbnail)[0] < SAME
    others = [
        look(saved(draw(category, colour, seed=9), "PNG"))
        for category in CATEGORIES
        for colour in COLOURS
        if (category, colour) != ("coat", "navy")
    ]
    away = [differences(other.thumbnail, first.thumbnail)[0] for other in others]
    assert min(away) > SAME


def test_transparent_parts_count_as_white() -> None:
    clear = np.zeros((32, 32, 4), np.uint8)
    white = np.full((32, 32, 3), 255, np.uint8)
    assert look(saved(clear, "PNG")).pixels_sha256 == look(saved(white, "PNG")).pixels_sha256


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims a size, and would inflate to zeros without end."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10_000_000), 9)
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def webp_header(width: int, height: int) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


@pytest.mark.parametrize("side", [MOST_PIXELS // 3000 + 1, 8000, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(TooLargeError, match="at most 12000000 px"):
        look(png_header(3001 if side < 8000 else side, side))


def test_a_webp_that_claims_a_giant_canvas_is_refused() -> None:
    with pytest.raises((TooLargeError, UnreadableSourceError)):
        look(webp_header(2**14, 2**14))


def test_an_animation_of_too_many_frames_is_refused() -> None:
    frames = [np.full((8, 8, 3), value % 256, np.uint8) for value in range(MOST_FRAMES + 1)]
    with pytest.raises(TooLargeError, match="257 frames"):
        look(animated(frames))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        saved(PICTURE, "PNG")[:400],
        saved(PICTURE, "WEBP")[:60],
        saved(PICTURE, "BMP"),
        saved(PICTURE[:4, :4], "PNG"),
    ],
)
def test_what_is_no_whole_picture_is_refused_with_a_reason(content: bytes) -> None:
    with pytest.raises(UnreadableSourceError, match="cannot be read: it"):
        look(content)
