"""One picture is read out of a shard, and nothing else is."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.artifacts.local import LocalArtifacts
from shared.artifacts.pictures import encode_png, picture_of
from shared.errors import UnreadableSourceError


class CountingStore(LocalArtifacts):
    """Counts the bytes that are read."""

    read_bytes = 0

    def read_range(self, key: str, start: int, length: int) -> bytes:
        data = super().read_range(key, start, length)
        self.read_bytes += len(data)
        return data


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path)


def keep(store: LocalArtifacts, array: np.ndarray[Any, Any]) -> str:
    buffer = BytesIO()
    np.save(buffer, array)
    return store.put("shard.npy", buffer.getvalue()).key


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("index", [0, 7, 199])
def test_a_picture_is_what_was_stored(store: CountingStore, channels: int, index: int) -> None:
    shape = (200, 24, 24, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert np.array_equal(picture_of(store, keep(store, pixels), index), pixels[index])
    assert store.read_bytes <= 1024 + 24 * 24 * channels


@pytest.mark.parametrize("index", [-1, 4])
def test_a_picture_that_a_shard_has_not_is_refused(store: CountingStore, index: int) -> None:
    key = keep(store, np.zeros((4, 8, 8, 3), np.uint8))
    with pytest.raises(UnreadableSourceError, match="4 pictures"):
        picture_of(store, key, index)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 8, 8, 3), np.float32),
        np.zeros((4, 8, 8), np.uint8),
        np.zeros((4, 8, 8, 4), np.uint8),
        np.asfortranarray(np.zeros((4, 8, 8, 3), np.uint8)),
        np.array([{"a": 1}], dtype=object),
    ],
    ids=["floats", "flat", "four channels", "column order", "objects"],
)
def test_an_array_that_holds_no_pictures_is_refused(
    store: CountingStore, array: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(UnreadableSourceError):
        picture_of(store, keep(store, array), 0)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00\xff\xff{"])
def test_a_file_that_is_no_shard_is_refused(store: CountingStore, data: bytes) -> None:
    store.put("shard.npy", data)
    with pytest.raises(UnreadableSourceError):
        picture_of(store, "shard.npy", 0)


def test_a_shard_that_is_cut_short_is_refused(store: CountingStore) -> None:
    key = keep(store, np.zeros((4, 8, 8, 3), np.uint8))
    store.put(key, store.read(key)[:-1])
    with pytest.raises(UnreadableSourceError, match="cut short"):
        picture_of(store, key, 3)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_picture_becomes_a_png_of_the_same_pixels(channels: int, mode: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6, 9, channels), np.uint8)
    image = Image.open(BytesIO(encode_png(pixels)))
    assert (image.format, image.mode, image.size) == ("PNG", mode, (9, 6))
    assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)
