"""A store whose artifacts have the hashes that were written down when they were put."""

import hashlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from shared.artifacts import Artifact, ArtifactStore, Entry
from shared.errors import ArtifactDamagedError
from shared.keeping.room import Room
from shared.records import Records, artifacts
from shared.records.artifacts import Kept

LOG: Final = logging.getLogger(__name__)

UNLISTED: Final = ("designs/", "jobs/", "health/")
"""Kinds of artifact that are not written down: each design's row, each checkpoint's manifest and
each extractor's name hold the hash already, previews are replaced every few seconds, and a batch of
designs should not wait for another transaction."""

_EXTRACTORS: Final = "/extractors/"
_CHUNK: Final = 1 << 20
_PAUSES: Final = (0.0, 0.05)
_VOUCHED_SECONDS: Final = 600.0
_MOST_VOUCHED: Final = 4_096


class CheckedStore(ArtifactStore):
    """Any store, with the hash of each artifact kept in the records and compared on reading.

    What was stored before hashes were written down is handed out as it is; `toile verify --adopt`
    writes its hash down.

    Args:
        inner: where the bytes are.
        records: where the hashes are.
        cache: folder for copies of what is not local.
        room: how full its disk may become.
    """

    def __init__(
        self, inner: ArtifactStore, records: Records, *, cache: Path, room: Room | None = None
    ) -> None:
        self._inner = inner
        self._records = records
        self._cache = cache
        self._room = room
        self._vouched: OrderedDict[str, tuple[tuple[int, int], float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def inner(self) -> ArtifactStore:
        """The store itself, which compares nothing."""
        return self._inner

    def put(self, key: str, source: bytes | Path | BinaryIO) -> Artifact:
        """Store the bytes, then write down their hash: a row that names them comes later still.

        Raises:
            DiskFullError: too little room is left for work.
        """
        if self._room is not None:
            self._room.require_for_artifact(_size_of(source))
        stored = self._inner.put(key, source)
        if is_listed(key):
            kept = Kept(key=key, size=stored.size, sha256=stored.sha256)
            with self._records.transaction() as tx:
                artifacts.keep(tx, kept)
        return stored

    def read(self, key: str) -> bytes:
        """Read the whole artifact.

        Raises:
            ArtifactDamagedError: these are not the bytes that were stored.
        """
        pauses = iter(_PAUSES)
        while True:
            data = self._inner.read(key)
            expected = self._expected(key)
            if expected is None:
                return data
            found = hashlib.sha256(data).hexdigest()
            if found == expected.sha256:
                return data
            pause = next(pauses, None)
            if pause is None:
                raise damaged(key, expected.sha256, found)
            time.sleep(pause)  # it may have been replaced between the two looks

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Read a part, of an artifact that was looked through as a whole of late.

        Parts of what is not listed are for the caller to compare: a design's row has its hash.
        """
        if not is_listed(key):
            return self._inner.read_range(key, start, length)
        with self.fetch(key, self._cache).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def fetch(self, key: str, cache: Path) -> Path:
        """Return a local file of the artifact's bytes, compared once in ten minutes.

        A copy that does not hold what was stored is fetched once more.

        Raises:
            ArtifactDamagedError: these are not the bytes that were stored.
        """
        path = self._inner.fetch(key, cache)
        if not is_listed(key) or self._is_vouched(key, path):
            return path
        expected = self._expected(key)
        if expected is None:
            return path
        found = sha256_of(path)
        if found != expected.sha256 and path.is_relative_to(cache.resolve()):
            path.unlink(missing_ok=True)
            path = self._inner.fetch(key, cache)
            found = sha256_of(path)
        if found != expected.sha256:
            raise damaged(key, expected.sha256, found)
        self._vouch(key, path)
        return path

    def exists(self, key: str) -> bool:
        """Look for it."""
        return self._inner.exists(key)

    def delete(self, key: str) -> None:
        """Remove it, and strike it out."""
        self._inner.delete(key)
        if is_listed(key):
            with self._records.transaction() as tx:
                artifacts.forget(tx, [key])

    def keys(self, prefix: str) -> Iterator[str]:
        """List below a prefix."""
        return self._inner.keys(prefix)

    def entries(self, after: str = "") -> Iterator[Entry]:
        """List all."""
        return self._inner.entries(after)

    def tidy(self, before: datetime) -> int:
        """Remove what was left half-written."""
        return self._inner.tidy(before)

    def _expected(self, key: str) -> Kept | None:
        if not is_listed(key):
            return None
        with self._records.glance() as look:
            return artifacts.find(look, key)

    def _is_vouched(self, key: str, path: Path) -> bool:
        with self._lock:
            found = self._vouched.get(key)
        return found is not None and found[0] == _mark(path) and found[1] > time.monotonic()

    def _vouch(self, key: str, path: Path) -> None:
        with self._lock:
            self._vouched[key] = (_mark(path), time.monotonic() + _VOUCHED_SECONDS)
            while len(self._vouched) > _MOST_VOUCHED:
                self._vouched.popitem(last=False)


def is_listed(key: str) -> bool:
    """Return whether an artifact's hash is written down when it is put."""
    return not key.startswith(UNLISTED) and _EXTRACTORS not in key


def require_whole(data: bytes, sha256: str, key: str) -> bytes:
    """Return bytes that have a hash.

    Raises:
        ArtifactDamagedError: they have not.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise damaged(key, sha256, found)
    return data


def damaged(key: str, expected: str, found: str) -> ArtifactDamagedError:
    """Tell the log of a damaged artifact, and return the error."""
    LOG.error("Artifact %s is damaged: SHA-256 %s was stored, %s is there", key, expected, found)
    return ArtifactDamagedError(
        f"The stored file {key} is damaged: its bytes are not those that were stored, so they are "
        "not used. `toile verify` lists all that is damaged; restore it from a backup.",
        key=key,
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _mark(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _size_of(source: bytes | Path | BinaryIO) -> int:
    if isinstance(source, bytes):
        return len(source)
    if isinstance(source, Path):
        return source.stat().st_size
    if source.seekable():
        place = source.tell()
        size = source.seek(0, os.SEEK_END) - place
        source.seek(place)
        return size
    return 0
