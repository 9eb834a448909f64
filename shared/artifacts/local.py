"""Artifacts in a folder of this machine."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from shared.artifacts.store import Artifact, ArtifactStore
from shared.errors import InvalidInputError, StoreUnavailableError

_CHUNK: Final = 1 << 20
_TEMPORARY: Final = ".part-"


class LocalArtifacts(ArtifactStore):
    """A folder. A file appears under its name only when all of it is on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def put(self, key: str, source: bytes | Path | BinaryIO) -> Artifact:
        """Write to a temporary name, flush to the disk, then rename."""
        target = self._path(key)
        temporary = target.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
        try:
            with _translated(key):
                target.parent.mkdir(parents=True, exist_ok=True)
                file = temporary.open("xb")
            with _closing(file):
                size, digest = _copy(source, file, key)
                with _translated(key):
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _flush_folder(target.parent)
        return Artifact(key=key, size=size, sha256=digest)

    def read(self, key: str) -> bytes:
        """Read the whole file."""
        return self._path(key).read_bytes()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Seek and read."""
        with self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def fetch(self, key: str, cache: Path) -> Path:  # noqa: ARG002 - already local, no copy needed
        """Return the file itself."""
        path = self._path(key)
        if not path.is_file():
            raise FileNotFoundError(key)
        return path

    def exists(self, key: str) -> bool:
        """Look for the file."""
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        """Remove the file."""
        self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[str]:
        """Walk the folder."""
        start = self._path(prefix)
        if not start.is_dir():
            return
        for path in start.rglob("*"):
            if path.is_file() and not path.name.startswith(_TEMPORARY):
                yield path.relative_to(self._folder).as_posix()

    def _path(self, key: str) -> Path:
        path = (self._folder / key).resolve()
        if not path.is_relative_to(self._folder):
            raise InvalidInputError(f"The artifact key {key!r} leads out of the store.", key=key)
        return path


def _copy(source: bytes | Path | BinaryIO, target: BinaryIO, key: str) -> tuple[int, str]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _copy(file, target, key)
    reader: BinaryIO = BytesIO(source) if isinstance(source, bytes) else source
    digest = hashlib.sha256()
    while chunk := reader.read(_CHUNK):
        digest.update(chunk)
        with _translated(key):
            target.write(chunk)
    return target.tell(), digest.hexdigest()


@contextmanager
def _closing(file: BinaryIO) -> Iterator[None]:
    """Close a file at the end, whatever happened.

    Closing writes once more what a full disk did not take, and its plain error must not stand in
    the place of the one that says so.
    """
    try:
        yield
    except BaseException:
        with suppress(OSError):
            file.close()
        raise
    file.close()


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Tell of a folder that is full or closed; a source that breaks is the caller's own error."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(
            f"The artifact folder took no file ({error.strerror}). See that there is space, and "
            "that Toile may write there; `toile doctor` looks.",
            key=key,
        ) from error


def _flush_folder(folder: Path) -> None:
    # The rename itself is lost in a power cut until the folder is flushed too.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
