"""Shards on disk and the training array made from them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import InvalidInputError, UnreadableSourceError
from shared.pictures.resize import resize_pixels, to_channels
from worker.catalogs.shards import (
    ShardSlice,
    assemble,
    open_shard,
    shard_length,
    write_shard,
)


def noise(*shape: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_a_shard_comes_back_as_it_was_written(tmp_path: Path) -> None:
    pixels = noise(5, 28, 28, 3)
    write_shard(tmp_path / "a.npy", pixels)
    opened = open_shard(tmp_path / "a.npy")
    assert isinstance(opened, np.memmap)
    np.testing.assert_array_equal(opened, pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize(
    "pixels",
    [noise(5, 28, 28), noise(5, 28, 30, 1), noise(2, 8, 8, 4), np.zeros((1, 8, 8, 1), np.float32)],
)
def test_an_array_of_another_shape_or_type_is_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(InvalidInputError, match="expected uint8"):
        write_shard(tmp_path / "a.npy", pixels)
    assert not list(tmp_path.iterdir())


def test_a_shard_cut_short_is_named(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.npy", noise(5, 28, 28, 1))
    whole = (tmp_path / "a.npy").read_bytes()
    for length in (0, 40, len(whole) // 2):
        (tmp_path / "a.npy").write_bytes(whole[:length])
        with pytest.raises(UnreadableSourceError, match=r"a\.npy"):
            open_shard(tmp_path / "a.npy")


def test_rows_of_several_shards_become_one_array_in_the_order_named(tmp_path: Path) -> None:
    first, second = noise(4, 12, 12, 1, seed=1), noise(3, 12, 12, 1, seed=2)
    write_shard(tmp_path / "a.npy", first)
    write_shard(tmp_path / "b.npy", second)
    parts = [
        ShardSlice(tmp_path / "b.npy", np.array([2, 0])),
        ShardSlice(tmp_path / "a.npy"),
        ShardSlice(tmp_path / "b.npy", np.array([], dtype=np.int64)),
    ]
    array = assemble(parts, size=12, channels=1, destination=tmp_path / "cache" / "all.npy")
    assert isinstance(array, np.memmap)
    np.testing.assert_array_equal(array, np.concatenate([second[[2, 0]], first]))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["all.npy"]


def test_an_assembled_array_is_not_made_again(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.npy", noise(4, 12, 12, 1))
    parts = [ShardSlice(tmp_path / "a.npy")]
    assemble(parts, size=8, channels=1, destination=tmp_path / "all.npy")
    made = (tmp_path / "all.npy").stat().st_mtime_ns
    assemble(parts, size=8, channels=1, destination=tmp_path / "all.npy")
    assert (tmp_path / "all.npy").stat().st_mtime_ns == made
    assert assemble(parts, size=6, channels=1, destination=tmp_path / "all.npy").shape[1] == 6


def test_rows_out_of_range_and_no_rows_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.npy", noise(4, 12, 12, 1))
    with pytest.raises(InvalidInputError, match="rows 0 to 3"):
        assemble(
            [ShardSlice(tmp_path / "a.npy", np.array([4]))],
            size=8,
            channels=1,
            destination=tmp_path / "all.npy",
        )
    with pytest.raises(InvalidInputError, match="at least one"):
        assemble([], size=8, channels=1, destination=tmp_path / "all.npy")


@pytest.mark.parametrize(("side", "size"), [(160, 64), (64, 32), (28, 32), (33, 28)])
def test_resizing_a_batch_looks_like_pillows_lanczos(side: int, size: int) -> None:
    smooth = resize_pixels(noise(3, 8, 8, 3), side)
    ours = resize_pixels(smooth, size).astype(int)
    for index in range(3):
        theirs = Image.fromarray(smooth[index]).resize((size, size), Image.Resampling.LANCZOS)
        assert np.abs(ours[index] - np.asarray(theirs, dtype=int)).max() <= 2


def test_grey_is_repeated_and_colour_weighed_as_pillow_does() -> None:
    rgb = noise(2, 16, 16, 3)
    grey = to_channels(rgb, 1)
    theirs = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in rgb])
    assert np.abs(grey[..., 0].astype(int) - theirs).max() <= 1
    np.testing.assert_array_equal(to_channels(grey, 3)[..., 2], grey[..., 0])


def test_a_shard_holds_4096_garments_or_64_mebibytes() -> None:
    assert shard_length(28, 1) == 4096
    assert shard_length(256, 3) * 256 * 256 * 3 <= 64 * 2**20
    assert shard_length(256, 3) > 300
