"""Shards: garments' pixels as plain ``.npy`` files that load at the speed of memory.

A shard is one uint8 array ``[n, size, size, channels]``, written once and never changed. A training
takes any rows of any shards, at any size, as one memory-mapped array (`assemble`).
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError, UnreadableSourceError
from shared.pictures.resize import resize_pixels, to_channels

Pixels = NDArray[np.uint8]

MAX_SHARD_LENGTH: Final = 4096
# Half a batch is in memory as pixels and as much again while it is measured.
MAX_SHARD_BYTES: Final = 64 * 2**20
_BLOCK_BYTES: Final = 16 * 2**20  # how much is resized at once


@dataclass(frozen=True, slots=True)
class ShardSlice:
    """Some rows of one shard; ``rows`` None takes all, in order."""

    path: Path
    rows: NDArray[np.int64] | None = None


def shard_length(size: int, channels: int) -> int:
    """Return how many garments go in one shard: 4096, or fewer when 64 MiB are full sooner."""
    return max(1, min(MAX_SHARD_LENGTH, MAX_SHARD_BYTES // (size * size * channels)))


def write_shard(path: Path, pixels: Pixels) -> None:
    """Write uint8 ``[n, size, size, channels]`` at ``path``: wholly, or not at all.

    Raises:
        InvalidInputError: the array has another type or shape.
    """
    _check(pixels, named="the array to write")
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        unfinished = Path(file.name)
        try:
            np.save(file, np.ascontiguousarray(pixels), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def open_shard(path: Path) -> Pixels:
    """Return the shard memory-mapped, read only: uint8 ``[n, size, size, channels]``.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableSourceError: the file is no shard, or is cut short.
    """
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UnreadableSourceError(
            f"{path.name} is not a shard, or is damaged ({error}).", file=path.name
        ) from error
    try:
        return _check(pixels, named=path.name)
    except InvalidInputError as error:
        raise UnreadableSourceError(error.message, file=path.name) from error


def assemble(
    shards: Sequence[ShardSlice], *, size: int, channels: int, destination: Path
) -> Pixels:
    """Return the named rows as one memory-mapped uint8 array ``[n, size, size, channels]``.

    The array is kept at ``destination``; when a file of the right shape is there already it is
    used as it is, so the caller must name it after what it holds. It is written under another name
    and then moved, so that two processes may do this at once. Pictures are resized from the
    shard's size with an antialiased filter; grey becomes three equal channels and colour becomes
    luma, as ``channels`` asks.

    Raises:
        InvalidInputError: no rows, rows out of range, or a size or channels that cannot be.
        UnreadableSourceError: a shard is damaged.
    """
    if size < 1 or channels not in (1, 3):
        raise InvalidInputError(
            f"Cannot make pictures of {size} px with {channels} channels; expected 1 or 3 channels."
        )
    opened = [(open_shard(part.path), part) for part in shards]
    total = sum(_length(pixels, part) for pixels, part in opened)
    if total == 0:
        raise InvalidInputError("No garments were named; expected at least one.")
    shape = (total, size, size, channels)
    if not _is_there(destination, shape):
        _write_assembled(opened, shape, destination)
    return open_shard(destination)


def _write_assembled(
    opened: Sequence[tuple[Pixels, ShardSlice]],
    shape: tuple[int, int, int, int],
    destination: Path,
) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=destination.parent, suffix=".part")
    os.close(handle)
    unfinished = Path(name)
    try:
        target = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
        start = 0
        for block in _blocks(opened):
            resized = resize_pixels(to_channels(block, shape[3]), shape[1])
            target[start : start + len(block)] = resized
            start += len(block)
        target.flush()
        del target
        unfinished.replace(destination)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _blocks(opened: Sequence[tuple[Pixels, ShardSlice]]) -> Iterator[Pixels]:
    for pixels, part in opened:
        step = max(1, _BLOCK_BYTES // int(np.prod(pixels.shape[1:])))
        for start in range(0, _length(pixels, part), step):
            if part.rows is None:
                yield pixels[start : start + step]
            else:
                yield pixels[part.rows[start : start + step]]


def _length(pixels: Pixels, part: ShardSlice) -> int:
    if part.rows is None:
        return len(pixels)
    if len(part.rows) and (part.rows.min() < 0 or part.rows.max() >= len(pixels)):
        raise InvalidInputError(
            f"{part.path.name} has rows 0 to {len(pixels) - 1}; "
            f"{int(part.rows.min())} to {int(part.rows.max())} were asked for."
        )
    return len(part.rows)


def _is_there(path: Path, shape: tuple[int, ...]) -> bool:
    try:
        return open_shard(path).shape == shape
    except (FileNotFoundError, UnreadableSourceError):
        return False


def _check(pixels: Pixels, *, named: str) -> Pixels:
    shape = pixels.shape
    if pixels.dtype == np.uint8 and len(shape) == 4 and shape[1] == shape[2] and shape[3] in (1, 3):  # noqa: PLR2004 - [n, size, size, channels]
        return pixels
    raise InvalidInputError(
        f"{named} holds {pixels.dtype} {list(shape)}; expected uint8 [n, size, size, 1 or 3]."
    )
