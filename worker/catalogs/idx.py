"""IDX files, in which MNIST, Fashion-MNIST and their kin come.

The format (yann.lecun.com/exdb/mnist): a big-endian magic number (0x00000803 for bytes in three
dimensions, 0x00000801 for bytes in one), the length of each dimension, then the bytes.

The written rules:

- A folder is taken for IDX when a file of its own is named ``*-images-idx3-ubyte`` (or ``.gz``).
- Of several sets the training set is taken and the others are left out, with a remark. To take
  another one, name its images file itself.
- Labels are looked for beside the images, under the same name with ``labels-idx1``. Without them
  the garments have no category.
- Fashion-MNIST, known by its labels or by ``fashion`` in its folder's name, gets its ten class
  names; other labels stay numbers.
"""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

import numpy as np
from numpy.typing import NDArray

from shared.errors import TooLargeError, UnreadableSourceError
from worker.catalogs.garments import CATEGORY, GarmentFields, Rejection, Remark, SourceItem
from worker.catalogs.limits import IngestLimits

# github.com/zalandoresearch/fashion-mnist, "Labels"; in lower case, as all of Toile's labels.
FASHION_MNIST: Final = (
    "t-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle boot",
)  # fmt: skip
# SHA-256 of its label bytes, training and test, headers included.
_FASHION_LABELS: Final = frozenset(
    {
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    }
)
_IMAGES_MAGIC: Final = 0x803
_LABELS_MAGIC: Final = 0x801
_BLOCK: Final = 1024  # pictures read at once


class IdxSource:
    """The pictures of one IDX images file and, when there is one, its labels file."""

    def __init__(
        self, images: Path, limits: IngestLimits, *, left_out: tuple[str, ...] = ()
    ) -> None:
        self._images = images
        self._left_out = left_out
        with _opened(images) as file:
            self._count, self._rows, self._columns = _header(file, images, _IMAGES_MAGIC, 3)
        self._check_size(limits)
        _check_whole(images, 16 + self._count * self._rows * self._columns)
        self._labels, self._names = _labels(images, self._count)

    @property
    def expected(self) -> int:
        """How many pictures there are."""
        return self._count

    def items(self) -> Iterator[SourceItem | Rejection | Remark]:
        """Yield every picture: uint8 ``[rows, columns]``, 0 black."""
        for name in self._left_out:
            yield Remark(name, f"was left out; {self._images.name} was taken.")
        stem = self._images.name.split("-images")[0]
        fields = [GarmentFields({CATEGORY: name}) for name in self._names]
        with _opened(self._images) as file:
            _header(file, self._images, _IMAGES_MAGIC, 3)
            for start in range(0, self._count, _BLOCK):
                block = self._block(file, min(_BLOCK, self._count - start))
                for index, pixels in enumerate(block, start):
                    known = GarmentFields() if self._labels is None else fields[self._labels[index]]
                    yield SourceItem(f"{stem}-{index:05d}", pixels, known)

    def _block(self, file: IO[bytes], count: int) -> NDArray[np.uint8]:
        content = file.read(count * self._rows * self._columns)
        return np.frombuffer(content, np.uint8).reshape(count, self._rows, self._columns)

    def _check_size(self, limits: IngestLimits) -> None:
        shape = f"{self._count} pictures of {self._columns} x {self._rows} px"
        total = self._count * self._rows * self._columns
        if self._count > limits.max_files or total > limits.max_total_bytes:
            raise TooLargeError(
                f"{self._images.name} says that it holds {shape}; that is too many."
            )
        if self._rows * self._columns > limits.max_pixels:
            raise TooLargeError(
                f"{self._images.name} says that it holds {shape}; they are too large."
            )
        if min(self._rows, self._columns) < limits.min_side or self._count == 0:
            raise UnreadableSourceError(f"{self._images.name} says that it holds {shape}.")


def find_images(folder: Path) -> tuple[Path, tuple[str, ...]] | None:
    """Return the folder's images file to take and the names of those left out; None without any."""
    found = sorted(path for path in folder.iterdir() if is_idx_images(path))
    if not found:
        return None
    # The unpacked one before the packed one of the same set: it is read faster.
    found.sort(key=lambda path: ("train" not in path.name, path.suffix == ".gz"))
    taken = found[0].name.removesuffix(".gz")
    left_out = (path.name for path in found[1:] if path.name.removesuffix(".gz") != taken)
    return found[0], tuple(dict.fromkeys(left_out))


def is_idx_images(path: Path) -> bool:
    """Whether a path is named as IDX images are."""
    name = path.name.removesuffix(".gz").replace(".", "-")
    return name.endswith("images-idx3-ubyte") and path.is_file()


def _labels(images: Path, count: int) -> tuple[NDArray[np.uint8] | None, tuple[str, ...]]:
    """Return each picture's class, or None, and the names of the classes."""
    path = _labels_path(images)
    if path is None:
        return None, ()
    with _opened(path) as file:
        (labelled,) = _header(file, path, _LABELS_MAGIC, 1)
        if labelled != count:
            raise UnreadableSourceError(
                f"{path.name} has {labelled} labels and {images.name} {count} pictures."
            )
    _check_whole(path, 8 + labelled)
    with _opened(path) as file:
        content = file.read(8 + labelled)
    labels = np.frombuffer(content, np.uint8, offset=8)
    fashion = hashlib.sha256(content).hexdigest() in _FASHION_LABELS
    if (fashion or "fashion" in images.parent.name.lower()) and labels.max() < len(FASHION_MNIST):
        return labels, FASHION_MNIST
    return labels, tuple(str(number) for number in range(256))


def _labels_path(images: Path) -> Path | None:
    name = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    for candidate in (images.with_name(name), images.with_name(f"{name}.gz")):
        if candidate.is_file():
            return candidate
    return None


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def _header(file: IO[bytes], path: Path, magic: int, dimensions: int) -> tuple[int, ...]:
    length = 4 * (1 + dimensions)
    try:
        found, *lengths = struct.unpack(f">{1 + dimensions}I", file.read(length))
    except (struct.error, EOFError, OSError, zlib.error) as error:
        raise UnreadableSourceError(f"{path.name} is no IDX file: {error}.") from error
    if found != magic:
        raise UnreadableSourceError(
            f"{path.name} is no IDX file of this kind: it starts with {found:#010x}; expected "
            f"{magic:#010x}."
        )
    return tuple(lengths)


def _check_whole(path: Path, length: int) -> None:
    """Read ``length`` bytes to the file's end once, so that no file that is cut short is begun."""
    left = length
    try:
        with _opened(path) as file:
            while left > 0 and (content := file.read(min(left, 2**20))):
                left -= len(content)
            surplus = bool(file.read(1))  # gzip checks its checksum at the very end
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableSourceError(f"{path.name} is damaged: {error}.") from error
    if left > 0 or surplus:
        state = f"cut short by {left} bytes" if left > 0 else "longer than it says"
        raise UnreadableSourceError(f"{path.name} is {state}.")
