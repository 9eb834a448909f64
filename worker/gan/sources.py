"""Reading a catalog straight from files, for `python -m worker.gan` without any service.

Deliberately small: IDX files, a folder with one folder a category, or an .npz. Real catalogs come
in through worker.catalogs, which forgives more and explains more.
"""

import gzip
import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from shared.errors import UnreadableSourceError
from worker.gan.data import Dataset

FASHION_MNIST = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
"""The ten classes in their published order; IDX files carry numbers only."""

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def read(path: Path, *, size: int | None = None, attributes: Sequence[str] = ()) -> Dataset:
    """Read whichever kind of source `path` is.

    Args:
        path: a folder with `train-images-idx3-ubyte` (and `train-labels-idx1-ubyte`), plain or
            gzipped; a folder with one folder of pictures a category; or an .npz with `images`
            uint8 and one integer or string array a label.
        size: side in px; None keeps IDX and npz as they are and makes pictures 32 px.
        attributes: the labels to learn; none named means all of them.

    Raises:
        UnreadableSourceError: it is none of these, or damaged.
    """
    if path.suffix == ".npz":
        images, columns = _read_npz(path)
    elif idx := sorted(path.glob("train-images*ubyte*")):
        images, columns = _read_idx(idx[0])
    elif path.is_dir():
        images, columns = _read_folders(path, size or 32)
    else:
        raise UnreadableSourceError(
            f"{path} is neither a folder nor an .npz file. Give a folder with IDX files, a folder "
            "with one folder of pictures a category, or an .npz with an `images` array."
        )
    if size is not None and images.shape[1] != size:
        images = np.stack([_resized(image, size) for image in images])
    chosen = {name: columns[name] for name in (attributes or columns) if name in columns}
    if missing := set(attributes) - set(columns):
        raise UnreadableSourceError(
            f"{path} has no labels for {sorted(missing)}; it has {sorted(columns)}."
        )
    return build(images, chosen)


def build(images: NDArray[np.uint8], columns: Mapping[str, Sequence[str]]) -> Dataset:
    """Make a dataset from one label string a garment and attribute; "" means unknown."""
    vocabulary = {name: _vocabulary(column) for name, column in columns.items()}
    labels = {
        name: np.array([values.index(v) if v else -1 for v in columns[name]], np.int32)
        for name, values in vocabulary.items()
    }
    digest = hashlib.sha256(images.tobytes())
    for name, column in labels.items():
        digest.update(name.encode() + repr(vocabulary[name]).encode() + column.tobytes())
    return Dataset(images, labels, vocabulary, digest.hexdigest())


def _vocabulary(column: Iterable[str]) -> tuple[str, ...]:
    present = {value for value in column if value}
    in_order = tuple(value for value in FASHION_MNIST if value in present)
    return in_order if len(in_order) == len(present) else tuple(sorted(present))


def _read_npz(path: Path) -> tuple[NDArray[np.uint8], dict[str, list[str]]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images = arrays["images"]
            columns = {k: [str(v) for v in arrays[k]] for k in arrays.files if k != "images"}
    except (OSError, ValueError, KeyError) as problem:
        raise UnreadableSourceError(f"{path} is not an .npz with `images`: {problem}.") from problem
    return (images[..., np.newaxis] if images.ndim == 3 else images), columns  # noqa: PLR2004 - n, h, w


def _read_idx(path: Path) -> tuple[NDArray[np.uint8], dict[str, list[str]]]:
    images = _idx_array(path)[..., np.newaxis]
    beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    if not beside.exists():
        return images, {}
    labels = _idx_array(beside)
    named = len(set(labels.tolist())) == len(FASHION_MNIST)
    return images, {"category": [FASHION_MNIST[k] if named else str(k) for k in labels.tolist()]}


def _idx_array(path: Path) -> NDArray[np.uint8]:
    """The IDX format: 0, 0, type (8 = uint8), dimensions, big-endian sizes, bytes."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        kind, dimensions = struct.unpack_from(">HBB", data)[1:]
        shape = struct.unpack_from(f">{dimensions}I", data, 4)
        if kind != 8:  # noqa: PLR2004 - the code for unsigned bytes
            raise ValueError(f"type {kind} is not unsigned bytes")  # noqa: TRY301 - one place turns all faults into one error
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as problem:
        raise UnreadableSourceError(f"{path} is not a whole IDX file: {problem}.") from problem


def _read_folders(path: Path, size: int) -> tuple[NDArray[np.uint8], dict[str, list[str]]]:
    files = sorted(f for f in path.glob("*/*") if f.suffix.lower() in PICTURES)
    if not files:
        raise UnreadableSourceError(
            f"{path} holds no pictures. Expected one folder a category with "
            f"{', '.join(sorted(PICTURES))} files in it."
        )
    images = np.stack([_picture(file, size) for file in files])
    return images, {"category": [file.parent.name for file in files]}


def _picture(file: Path, size: int) -> NDArray[np.uint8]:
    """Read as RGB, upright, fitted whole into a white square."""
    try:
        with Image.open(file) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as problem:
        raise UnreadableSourceError(f"{file} is not a readable picture: {problem}.") from problem
    fitted = ImageOps.contain(upright, (size, size), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (size, size), "white")
    corner = ((size - fitted.width) // 2, (size - fitted.height) // 2)
    square.alpha_composite(fitted, corner)
    return np.asarray(square.convert("RGB"))


def _resized(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    grey = image.shape[2] == 1
    picture = Image.fromarray(image[:, :, 0] if grey else image)
    resized = np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))
    return resized[..., np.newaxis] if grey else resized
