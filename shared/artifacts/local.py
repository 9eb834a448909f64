"""Artifacts in a folder of this machine."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from shared.artifacts.store import Artifact, ArtifactStore, Entry
from shared.errors import DiskFullError, InvalidInputError, StoreUnavailableError

_CHUNK: Final = 1 << 20
_TEMPORARY: Final = ".part-"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


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
            with _translated(key):
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

    def entries(self, after: str = "") -> Iterator[Entry]:
        """Walk the folder, each part of it by name; leftovers of writers that died are skipped."""
        yield from self._entries(self._folder, tuple(after.split("/")) if after else ())

    def tidy(self, before: datetime) -> int:
        """Remove the temporary files of writers that were killed."""
        gone = 0
        for path in self._folder.rglob(f"{_TEMPORARY}*"):
            with suppress(FileNotFoundError):
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before:
                    path.unlink()
                    gone += 1
        return gone

    def _entries(self, folder: Path, after: tuple[str, ...]) -> Iterator[Entry]:
        try:
            inside = sorted(os.scandir(folder), key=lambda one: one.name)
        except FileNotFoundError:
            return
        for one in inside:
            if after and one.name < after[0]:
                continue
            behind = after[1:] if after and one.name == after[0] else ()
            if one.is_dir(follow_symlinks=False):
                yield from self._entries(folder / one.name, behind)
            elif not one.name.startswith(_TEMPORARY) and not (after and one.name == after[0]):
                with suppress(FileNotFoundError):
                    yield self._entry(folder / one.name)

    def _entry(self, path: Path) -> Entry:
        found = path.stat()
        return Entry(
            key=path.relative_to(self._folder).as_posix(),
            size=found.st_size,
            modified=datetime.fromtimestamp(found.st_mtime, UTC),
        )

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
        if error.errno in _FULL:
            raise DiskFullError(
                f"The artifact folder has no room for another file ({error.strerror}). Nothing of "
                "it was kept. Make room, or give TOILE_ARTIFACTS_URL a larger disk.",
                key=key,
            ) from error
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
