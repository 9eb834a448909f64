"""One picture file, whatever it is, to a square of bytes.

The written rules:

- Read are PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF; the file's bytes say which, never its name.
  Of an animation or a file of several pages the first picture counts.
- The size is read from the header; a picture beyond the limit is never decoded.
- The camera's rotation (EXIF) is applied. A colour profile other than sRGB is converted.
  Transparent parts become white. CMYK becomes RGB. 16-bit grey keeps its upper eight bits; other
  high ranges are stretched to 0-255.
- A picture whose three channels are equal is grey.
- The whole picture is fitted into the square; what is left over is filled with the median colour of
  the picture's own border. Large pictures are averaged down (Lanczos). Small ones are enlarged to
  at most twice their size and then stand in the middle: beyond that there is only blur to learn.
"""

import hashlib
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from shared.pictures.resize import resize_pixels
from worker.catalogs.limits import IngestLimits

Pixels = NDArray[np.uint8]

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MIN_MASTER: Final = 28
MAX_MASTER: Final = 256
MEASURED: Final = 32
_STEP: Final = 4  # networks halve twice or more
_MOST_ENLARGED: Final = 2
# A JPEG is decoded at a half, quarter or eighth when that still leaves this many times the square.
_DRAFT_MARGIN: Final = 2
_16_BITS: Final = 65535
_PLAIN_MODES: Final = {
    "1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB",
    "YCbCr": "RGB", "HSV": "RGB",
}  # fmt: skip


class PictureError(Exception):
    """A picture that cannot be taken in; its text is the reason, in plain words."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8 ``[size, size, channels]``; one channel when the picture is grey.
        small: the same at `MEASURED` px or less, for hashes and colours.
        sha256: of the decoded pixels before they were fitted into the square.
    """

    pixels: Pixels
    small: Pixels
    sha256: str


@contextmanager
def pillow_quiet() -> Iterator[None]:
    """Keep Pillow's remarks on broken metadata out of the log while pictures are decoded.

    They concern parts that are not used, or the picture is refused with a reason anyway. The
    filter is the whole process's: set it around a run, not around each picture.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\..*")
        yield


def choose_master_size(long_sides: Sequence[int]) -> int:
    """Return the square for a catalog: the pictures' median long side, 28 to 256, in steps of 4.

    With the median, half of the pictures or more keep all the detail that the square can hold. 28
    is Fashion-MNIST's size, and 256 the largest that a garment generator is trained at here.
    """
    if not long_sides:
        return MIN_MASTER
    middle = int(np.median(np.asarray(long_sides)))
    return int(np.clip(middle // _STEP * _STEP, MIN_MASTER, MAX_MASTER))


def measure(content: bytes, limits: IngestLimits) -> tuple[int, int]:
    """Return width and height from the header alone.

    Raises:
        PictureError: it is no picture, or too large or small.
    """
    with _opened(content, limits) as image:
        return image.size


def decode(content: bytes, *, size: int, limits: IngestLimits) -> Picture:
    """Decode a picture file into a square of ``size`` px.

    Raises:
        PictureError: it is no picture, is damaged, or is too large or small.
    """
    with _opened(content, limits) as image:
        try:
            image.draft(image.mode, (size * _DRAFT_MARGIN, size * _DRAFT_MARGIN))
            image.load()
            profile = image.info.get("icc_profile")
            _turn_upright(image)
            flat = _without_alpha(_as_srgb(_plain(image), profile))
        # Pillow's decoders answer a damaged file with any of a dozen exceptions; whatever it is,
        # it concerns this one picture and not the ingest.
        except Exception as error:
            raise PictureError(f"it is cut short or damaged ({error}).") from error
    flat = _without_equal_channels(flat)
    digest = hashlib.sha256(f"{flat.mode} {flat.width} {flat.height}\n".encode())
    digest.update(flat.tobytes())
    return _picture(_squared(flat, size), digest.hexdigest())


def from_array(pixels: Pixels, *, size: int) -> Picture:
    """Return a grey picture from uint8 ``[height, width]``, as IDX files hold them."""
    height, width = pixels.shape
    digest = hashlib.sha256(f"L {width} {height}\n".encode())
    digest.update(pixels.tobytes())
    if height == width == size:
        return _picture(pixels[..., None], digest.hexdigest())
    return _picture(_squared(Image.fromarray(pixels), size), digest.hexdigest())


def _picture(pixels: Pixels, sha256: str) -> Picture:
    return Picture(pixels, resize_pixels(pixels[None], min(MEASURED, len(pixels)))[0], sha256)


def _opened(content: bytes, limits: IngestLimits) -> Image.Image:
    """Read the header of a picture. Raises PictureError."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"it is too large: {error}") from error
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise PictureError(f"it is no picture that can be read; expected {known}.") from None
    except Exception as error:  # as in `decode`
        raise PictureError(f"its header is damaged ({error}).") from error
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PictureError(
            f"it has {width} x {height} px; at most {limits.max_pixels / 1e6:g} million are read."
        )
    if min(width, height) < limits.min_side:
        raise PictureError(
            f"it has {width} x {height} px; expected {limits.min_side} or more on each side."
        )
    return image


def _turn_upright(image: Image.Image) -> None:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # noqa: BLE001 - broken EXIF has many faces, and says nothing of the picture
        return


def _plain(image: Image.Image) -> Image.Image:
    """Return 8-bit pixels: L, RGB, CMYK, or one of these with transparency."""
    if image.mode.startswith("I;16"):
        return _from_values(np.asarray(image).astype(np.float64) * (255 / _16_BITS))
    if image.mode in {"I", "F"}:
        return _from_values(_stretched(np.asarray(image, dtype=np.float64)))
    if image.mode == "LAB":
        return _profiled(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    # A palette may hold transparent colours; a grey or RGB picture may call one of its own clear.
    palette_clear = image.palette is not None and image.palette.mode == "RGBA"
    if "transparency" in image.info or (image.mode == "P" and palette_clear):
        return image.convert("RGBA")
    return image.convert(_PLAIN_MODES.get(image.mode, image.mode))


def _from_values(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _stretched(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring 32-bit grey to 0-255: as 0-1, 0-255 or 0-65535 when one holds it; else by its range."""
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    for top in (1.0, 255.0, float(_16_BITS)):
        if low >= 0 and high <= top:
            return values * (255 / top)
    return (values - low) * (255 / (high - low))


def _as_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert by the embedded profile; CMYK with none, or a broken one, by plain inversion."""
    if profile and image.mode in {"RGB", "CMYK", "RGBA"} and b"sRGB" not in profile:
        try:
            found = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            image = _profiled(image, found)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile is common, and the colours without it are near
    return image.convert("RGB") if image.mode == "CMYK" else image


def _profiled(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    target = "RGBA" if image.mode == "RGBA" else "RGB"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    converted = ImageCms.profileToProfile(image, profile, srgb, outputMode=target)
    if converted is None:
        raise ValueError("no conversion")
    return converted


def _without_alpha(image: Image.Image) -> Image.Image:
    if image.mode not in {"LA", "RGBA"}:
        return image
    mode = image.mode.removesuffix("A")
    ground = Image.new(mode, image.size, "white")
    ground.paste(image.convert(mode), mask=image.getchannel("A"))
    return ground


def _without_equal_channels(image: Image.Image) -> Image.Image:
    if image.mode != "RGB":
        return image
    pixels = np.asarray(image)
    if np.ptp(pixels[::8, ::8], axis=-1).any():  # nearly every colour picture ends here
        return image
    equal = np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(
        pixels[..., 1], pixels[..., 2]
    )
    return image.getchannel(0) if equal else image


def _squared(image: Image.Image, size: int) -> Pixels:
    """Fit an L or RGB image into the square. Returns uint8 ``[size, size, channels]``."""
    scale = min(size / max(image.size), _MOST_ENLARGED)
    width, height = (min(size, max(1, round(side * scale))) for side in image.size)
    if image.size != (width, height):
        filter_ = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
        image = image.resize((width, height), filter_, reducing_gap=3.0)
    fitted = np.asarray(image).reshape(height, width, -1)
    if (height, width) == (size, size):
        return fitted
    square = np.empty((size, size, fitted.shape[2]), dtype=np.uint8)
    square[:] = _border(fitted)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = fitted
    return square


def _border(pixels: Pixels) -> Pixels:
    """Return the median colour of the outermost pixels."""
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return np.asarray(np.median(np.concatenate(edges), axis=0), dtype=np.uint8)
