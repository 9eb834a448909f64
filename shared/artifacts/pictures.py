"""One picture out of a shard, without reading the rest of it."""

from io import BytesIO
from typing import Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from shared.artifacts.store import ArtifactStore
from shared.errors import UnreadableSourceError

# numpy pads the header of a shard's four numbers to 128 bytes; the rest is room for odd writers.
_HEADER_BYTES: Final = 1024


def picture_of(store: ArtifactStore, key: str, index: int) -> NDArray[np.uint8]:
    """Return picture `index` of a shard: uint8 ``[size, size, channels]``.

    Raises:
        FileNotFoundError: there is no such shard.
        UnreadableSourceError: it is no shard, is cut short, or has no such picture.
    """
    shape, start = _layout(store.read_range(key, 0, _HEADER_BYTES), key)
    length = int(np.prod(shape[1:]))
    if not 0 <= index < shape[0]:
        raise UnreadableSourceError(f"Shard {key} holds {shape[0]} pictures, not one at {index}.")
    data = store.read_range(key, start + index * length, length)
    if len(data) != length:
        raise UnreadableSourceError(f"Shard {key} is cut short.", key=key)
    return np.frombuffer(data, np.uint8).reshape(shape[1:])


def encode_png(pixels: NDArray[np.uint8], *, most: int | None = None) -> bytes:
    """Return uint8 ``[height, width, 1 or 3]`` as PNG, shrunk to sides of at most ``most`` px."""
    grey = pixels.shape[-1] == 1
    target = BytesIO()
    picture = Image.fromarray(pixels[..., 0] if grey else pixels)
    if most is not None:
        picture.thumbnail((most, most), Image.Resampling.LANCZOS)
    picture.save(target, "PNG")
    return target.getvalue()


def _layout(beginning: bytes, key: str) -> tuple[tuple[int, ...], int]:
    header = BytesIO(beginning)
    try:
        version = npy.read_magic(header)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(header)
    except ValueError as error:
        raise UnreadableSourceError(f"{key} is not a shard ({error}).", key=key) from error
    if fortran or dtype != np.uint8 or len(shape) != 4 or shape[3] not in {1, 3}:  # noqa: PLR2004
        raise UnreadableSourceError(f"{key} holds {dtype} {shape}, not pictures.", key=key)
    return shape, header.tell()
