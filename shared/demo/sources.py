"""Which catalog the demonstration uses, and the words to say so."""

import gzip
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

from shared.demo import drawn
from shared.errors import NotFoundError, UnreadableSourceError

# The four files as Keras keeps them, and the bytes that each inflates to.
FASHION_MNIST_FILES: Final = {
    "train-labels-idx1-ubyte.gz": 8 + 60_000,
    "train-images-idx3-ubyte.gz": 16 + 60_000 * 28 * 28,
    "t10k-labels-idx1-ubyte.gz": 8 + 10_000,
    "t10k-images-idx3-ubyte.gz": 16 + 10_000 * 28 * 28,
}
DOWNLOAD_SECONDS: Final = 10.0
_CACHE: Final = Path("datasets") / "fashion-mnist"
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
_IDX: Final = ("-idx3-ubyte", "-idx3-ubyte.gz")
_MOST_LOOKED_AT: Final = 100_000  # files of a folder, before it is believed to hold no pictures

# Fetches the same files from the same address as keras.datasets.fashion_mnist (Keras 3.15), without
# importing Keras: its first import on a fresh machine takes longer than the whole attempt may. A
# process of its own can be killed while a name look-up or a connection hangs; a thread cannot.
_FETCH: Final = """
import sys, urllib.request
folder, *names = sys.argv[1:]
for name in names:
    url = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/" + name
    with urllib.request.urlopen(url) as answer, open(folder + "/" + name, "wb") as file:
        while block := answer.read(1 << 16):
            file.write(block)
"""

Fetch = Callable[[Path], None]


class DemoKind(StrEnum):
    """Where the demonstration's catalog comes from."""

    NAMED = "named"
    FASHION_MNIST = "fashion-mnist"
    DRAWN = "drawn"


@dataclass(frozen=True, slots=True)
class DemoCatalog:
    """The chosen catalog.

    Attributes:
        path: what to ingest: a folder, an archive or IDX files.
        words: a plain sentence that says which catalog it is and why.
    """

    path: Path
    kind: DemoKind
    words: str


class DownloadFailedError(Exception):
    """Fashion-MNIST did not come; the text says why."""


def choose_catalog(
    *,
    named: Path | None,
    keras_home: Path,
    work: Path,
    end: date,
    fetch: Fetch | None = None,
) -> DemoCatalog:
    """Choose the demonstration's catalog.

    1. The path that the user named, when there is one.
    2. Fashion-MNIST in Keras' cache, when it is there whole.
    3. Fashion-MNIST downloaded into that cache; the attempt ends after ten seconds.
    4. A drawn catalog, written to ``work``; its garments' dates end on ``end``.

    Args:
        named: what the user named, or None.
        keras_home: where Keras keeps its files: ``KERAS_HOME``, or ``~/.keras``.
        work: Toile's own folder for this.
        end: the last date of a drawn catalog.
        fetch: puts the four files into a folder, or raises DownloadFailedError.

    Raises:
        NotFoundError: the named path does not exist.
        UnreadableSourceError: the named path holds no pictures.
    """
    if named is not None:
        check_named(named)
        return DemoCatalog(named, DemoKind.NAMED, f"Using the catalog you named: {named}.")
    cache = keras_home / _CACHE
    if is_whole(cache):
        return DemoCatalog(
            cache, DemoKind.FASHION_MNIST, f"Using Fashion-MNIST from Keras' cache: {cache}."
        )
    try:
        download(cache, fetch=fetch or fetch_within(DOWNLOAD_SECONDS))
    except DownloadFailedError as error:
        return draw_catalog(work, end=end, why=f"Fashion-MNIST could not be downloaded ({error})")
    return DemoCatalog(
        cache,
        DemoKind.FASHION_MNIST,
        f"Using Fashion-MNIST, downloaded into Keras' cache: {cache}.",
    )


_DRAWN_WORDS: Final = (
    f"It is drawn in code: {drawn.DEFAULT_COUNT:,} garments, dated over three years whose trends "
    "are written down in shared/demo/drawn.py."
)


def draw_catalog(work: Path, *, end: date, why: str) -> DemoCatalog:
    """Write the drawn catalog, unless the one for this end is there already."""
    path = work / f"drawn-{end.isoformat()}.zip"
    if not path.is_file():
        drawn.write_archive(path, end=end)
    return DemoCatalog(path, DemoKind.DRAWN, f"Using a drawn catalog: {why}. {_DRAWN_WORDS}")


def check_named(path: Path) -> None:
    """Say at once when a named path cannot be a catalog; ingest checks the rest.

    Raises:
        NotFoundError: there is nothing.
        UnreadableSourceError: it is a folder or zip without pictures.
    """
    if not path.exists():
        raise NotFoundError(
            f"There is no catalog at {path}. Name a folder of pictures, a zip or tar of them, or "
            "IDX files; or name none, and one is found or drawn.",
            path=str(path),
        )
    if path.is_dir():
        found = any(
            _is_picture(file.name)
            for _, file in zip(range(_MOST_LOOKED_AT), path.rglob("*"), strict=False)
        )
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            found = any(_is_picture(name) for name in archive.namelist())
    else:
        found = True
    if not found:
        raise UnreadableSourceError(
            f"{path} holds no pictures ({', '.join(_PICTURES)}) and no IDX files.", path=str(path)
        )


def _is_picture(name: str) -> bool:
    return name.lower().endswith((*_PICTURES, *_IDX))


def is_whole(folder: Path) -> bool:
    """Whether Fashion-MNIST's four files are there, each inflating to its whole length."""
    return all(_inflated(folder / name) == size for name, size in FASHION_MNIST_FILES.items())


def _inflated(path: Path) -> int:
    """Return how many bytes a gzip file inflates to; -1 when it is damaged or not there."""
    total = 0
    try:
        with gzip.open(path) as file:
            while block := file.read(1 << 20):
                total += len(block)
    except (OSError, EOFError, zlib.error):
        return -1
    return total


def download(cache: Path, *, fetch: Fetch) -> None:
    """Fetch Fashion-MNIST into Keras' cache, where it appears only when it is whole.

    Raises:
        DownloadFailedError: it did not come, or not whole; the cache is as it was.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent, prefix="fashion-mnist-") as folder:
            fetch(Path(folder))
            if not is_whole(Path(folder)):
                raise DownloadFailedError("it came incomplete")
            for name in FASHION_MNIST_FILES:
                (Path(folder) / name).replace(cache / name)
    except OSError as error:
        raise DownloadFailedError(f"{cache} cannot be written: {error.strerror}") from error


def fetch_within(
    seconds: float, *, command: Sequence[str] = (sys.executable, "-c", _FETCH)
) -> Fetch:
    """Return a fetch that runs ``command FOLDER NAMES...`` and kills it after some seconds."""

    def fetch(folder: Path) -> None:
        arguments = [*command, str(folder), *FASHION_MNIST_FILES]
        try:
            subprocess.run(  # noqa: S603 - our own interpreter and our own words
                arguments, timeout=seconds, check=True, capture_output=True
            )
        except subprocess.TimeoutExpired:
            raise DownloadFailedError(f"gave up after {seconds:g} s") from None
        except subprocess.CalledProcessError as error:
            lines = error.stderr.decode(errors="replace").strip().splitlines()
            raise DownloadFailedError(lines[-1] if lines else "no network") from error

    return fetch
