"""Pictures of every kind, whole and broken, to squares of bytes."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms

from worker.catalogs.images import (
    PictureError,
    choose_master_size,
    decode,
    from_array,
    measure,
    pillow_quiet,
)
from worker.catalogs.limits import DEFAULT_LIMITS

Array = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with pillow_quiet():
        yield


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def squared(content: bytes, size: int = 32) -> Array:
    return decode(content, size=size, limits=DEFAULT_LIMITS).pixels


def halves(mode: str, left: object, right: object, side: int = 32) -> Image.Image:
    image = Image.new(mode, (side, side), left)  # type: ignore[arg-type]
    image.paste(right, (side // 2, 0, side, side))  # type: ignore[arg-type]
    return image


def png_header(width: int, height: int) -> bytes:
    """A whole PNG header that claims a size, and pixels that are not there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 99))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_listed_format_is_read(kind: str) -> None:
    pixels = squared(encoded(halves("RGB", "red", "blue"), kind))
    assert pixels.shape == (32, 32, 3)
    assert np.abs(pixels[16, 4].astype(int) - (255, 0, 0)).max() < 40
    assert np.abs(pixels[16, 28].astype(int) - (0, 0, 255)).max() < 40


def test_transparent_parts_become_white() -> None:
    clear = halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0))
    assert squared(encoded(clear))[16, [4, 28]].tolist() == [[255, 0, 0], [255, 255, 255]]
    grey = halves("LA", (90, 255), (0, 0))
    assert squared(encoded(grey))[16, [4, 28]].tolist() == [[90], [255]]


def test_a_palette_with_a_transparent_colour_becomes_white_there() -> None:
    image = halves("RGB", "red", "lime").quantize(4)
    green = image.getpixel((31, 0))
    for kind in ("PNG", "GIF"):
        pixels = squared(encoded(image, kind, transparency=green))
        assert pixels[16, [4, 28]].tolist() == [[255, 0, 0], [255, 255, 255]]
    assert squared(encoded(image, "PNG"))[16, 28].tolist() == [0, 255, 0]


def test_sixteen_bit_grey_keeps_its_upper_eight_bits() -> None:
    values = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        pixels = squared(encoded(Image.fromarray(values), kind))[..., 0]
        assert np.abs(pixels.astype(int) - values // 257).max() <= 1


def test_floats_and_32_bit_grey_are_brought_to_bytes() -> None:
    ramp = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    for values in (ramp, (ramp * 65535).astype(np.int32), ramp * 3e6 - 5):
        pixels = squared(encoded(Image.fromarray(values), "TIFF"))
        assert pixels.shape == (32, 32, 1)
        assert (int(pixels.min()), int(pixels.max())) == (0, 255)


def test_one_bit_pictures_are_black_and_white() -> None:
    assert squared(encoded(halves("1", 0, 1)))[16, [4, 28], 0].tolist() == [0, 255]


def test_a_cmyk_jpeg_has_its_colours_and_not_their_negative() -> None:
    image = halves("CMYK", (0, 255, 255, 0), (0, 0, 0, 0))  # red ink, and paper
    pixels = squared(encoded(image, "JPEG", quality=95))
    assert np.abs(pixels[16, 4].astype(int) - (255, 0, 0)).max() < 20
    assert pixels[16, 28].min() > 240


def test_the_cameras_rotation_is_applied() -> None:
    image = Image.new("RGB", (64, 32), "white")
    image.paste("red", (0, 0, 16, 32))  # red on the left; turned by 90 degrees it is on top
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        pixels = squared(encoded(image, kind, exif=exif))
        assert pixels[2, 16, 1] < 80, kind
        assert pixels[29, 16, 1] > 200, kind


def test_broken_exif_does_not_cost_the_picture() -> None:
    content = encoded(
        halves("RGB", "red", "blue"), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff"
    )
    assert squared(content).shape == (32, 32, 3)


def test_another_colour_profile_is_converted_and_a_broken_one_ignored() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    swapped = bytearray(lab.tobytes().replace(b"sRGB", b"xxxx"))
    red, blue = swapped.index(b"rXYZ"), swapped.index(b"bXYZ")
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    image = halves("RGB", (250, 0, 0), (0, 0, 250))
    pixels = squared(encoded(image, "PNG", icc_profile=bytes(swapped)))
    assert pixels[16, 4, 2] > 200 > pixels[16, 4, 0]
    broken = squared(encoded(image, "PNG", icc_profile=b"no profile"))
    assert broken[16, 4].tolist() == [250, 0, 0]


def test_of_an_animation_the_first_picture_counts() -> None:
    frames = [Image.new("RGB", (32, 32), name) for name in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert np.abs(squared(content)[16, 16].astype(int) - (255, 0, 0)).max() < 30, kind


def test_equal_channels_are_grey() -> None:
    assert squared(encoded(Image.new("RGB", (32, 32), (9, 9, 9)))).shape == (32, 32, 1)
    assert squared(encoded(Image.new("RGB", (32, 32), (9, 9, 10)))).shape == (32, 32, 3)


def test_a_picture_is_fitted_whole_and_padded_with_its_own_border() -> None:
    image = Image.new("RGB", (80, 40), (240, 250, 245))
    image.paste("red", (30, 10, 50, 30))
    pixels = squared(encoded(image), size=40)
    assert pixels[2, 20].tolist() == [240, 250, 245]
    assert pixels[20, 20].tolist() == [255, 0, 0]


def test_small_pictures_are_enlarged_twice_and_then_stand_in_the_middle() -> None:
    pixels = squared(encoded(halves("L", 0, 0, side=10)), size=40)
    assert pixels.shape == (40, 40, 1)
    image = Image.new("L", (10, 10), 200)
    image.paste(0, (3, 3, 7, 7))
    dark = np.argwhere(squared(encoded(image), size=40)[..., 0] < 100)
    assert dark.min(axis=0).tolist() == [16, 16]
    assert dark.max(axis=0).tolist() == [23, 23]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png_header(20_000, 20_000), "too large|at most 25 million"),
        (png_header(9_000, 9_000), "at most 25 million"),
        (png_header(10_000, 10_000), "too large|at most 25 million"),
        (png_header(64, 64), "cut short or damaged"),
        (png_header(2, 90), "expected 8 or more"),
        (b"", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"PK\x03\x04 not a picture", "no picture"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        squared(content)


def test_a_bomb_is_refused_from_its_header() -> None:
    with pytest.raises(PictureError, match=r"too large|at most"):
        measure(png_header(20_000, 20_000), DEFAULT_LIMITS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    with pytest.raises(PictureError, match=r"damaged|no picture"):
        squared(content[: len(content) // 2])


def test_no_garbage_in_a_picture_gets_past_as_another_exception() -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
        whole = encoded(noise, kind)
        for _ in range(40):
            broken = bytearray(whole)
            for at in rng.integers(0, len(broken), 6):
                broken[at] = rng.integers(0, 256)
            try:
                decode(bytes(broken), size=32, limits=replace(DEFAULT_LIMITS, max_pixels=10_000))
            except PictureError:
                continue


def test_the_same_pixels_have_the_same_digest_in_any_container() -> None:
    image = halves("RGB", "red", "blue")
    digests = {
        decode(content, size=size, limits=DEFAULT_LIMITS).sha256
        for content in (
            encoded(image),
            encoded(image.convert("RGBA")),
            encoded(image, "BMP"),
            encoded(image, "WEBP", lossless=True),
        )
        for size in (28, 64)
    }
    assert len(digests) == 1
    grey = Image.new("L", (32, 32), 77)
    pixels = np.asarray(grey)
    assert from_array(pixels, size=32).sha256 == (
        decode(encoded(grey.convert("RGB")), size=32, limits=DEFAULT_LIMITS).sha256
    )
    turned = encoded(image.transpose(Image.Transpose.ROTATE_90))
    assert decode(turned, size=28, limits=DEFAULT_LIMITS).sha256 not in digests


@pytest.mark.parametrize(
    ("sides", "size"),
    [
        ([], 28),
        ([28] * 9, 28),
        ([10], 28),
        ([160, 160, 120], 160),
        ([161, 163, 163], 160),
        ([4000], 256),
    ],
)
def test_the_master_size_is_the_median_long_side_in_steps_of_four(
    sides: list[int], size: int
) -> None:
    assert choose_master_size(sides) == size


def test_a_large_jpeg_is_decoded_small_and_looks_the_same() -> None:
    rows, columns = np.mgrid[0:1200, 0:1200]
    smooth = np.stack([rows / 5, columns / 5, 255 - rows / 5], axis=-1).astype(np.uint8)
    pixels = squared(encoded(Image.fromarray(smooth), "JPEG", quality=95), size=48)
    expected = np.asarray(Image.fromarray(smooth).resize((48, 48), Image.Resampling.LANCZOS))
    assert np.abs(pixels.astype(int) - expected).max() < 8
