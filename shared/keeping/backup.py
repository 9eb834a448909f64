"""Backup: records and artifacts of one moment, while all goes on.

1. A hold is written down: retention and the orphans' sweep remove nothing until it is over.
2. The records are written from one snapshot of the database, into a folder of this machine.
3. All artifacts that the snapshot's rows name are copied, each hashed on its way.
4. Where one has vanished meanwhile (a catalog or shopper was erased), 2 and 3 are done again: newer
   rows name it no more, and only what is new is copied. So the copy always holds what its rows
   name. What was copied before it was erased is not in the manifest, and is never put back.
5. The records follow, and the manifest last: a backup without one was cut short.
"""

import hashlib
import json
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from shared.artifacts import ArtifactStore, Entry
from shared.artifacts.local import LocalArtifacts
from shared.clock import utc_now
from shared.errors import ToileError
from shared.keeping.archives import ARTIFACTS, HEADER, MANIFEST, RECORDS, Sink, small, written
from shared.keeping.checked import CheckedStore, sha256_of
from shared.records import Records, Transaction, artifacts, portable
from shared.schemas.base import Schema

LOG: Final = logging.getLogger(__name__)

FORMAT: Final = 1
_HOLD_SECONDS: Final = 120.0
_ROUNDS: Final = 5
_PAGE: Final = 500
_CHUNK: Final = 8 * 2**20
_IN_MEMORY: Final = 32 * 2**20
_FOR_EVER: Final = timedelta(days=36_500)

OnProgress = Callable[[int, int], None]


class Header(Schema):
    """What a backup begins with."""

    format: int
    toile: str
    made_at: datetime


class Copied(Schema):
    """One artifact of a backup."""

    key: str
    size: int
    sha256: str


class Manifest(Schema):
    """What a backup ends with.

    Attributes:
        revision: of the tables.
        rows: by table.
        records: SHA-256 of each file of rows, in hex, by name.
        artifacts: all that the rows name.
        missing: keys that rows name and that were not in the store: they were lost before.
    """

    revision: str
    rows: dict[str, int]
    records: dict[str, str]
    artifacts: tuple[Copied, ...]
    missing: tuple[str, ...]


def back_up(
    records: Records,
    store: ArtifactStore,
    target: Path,
    *,
    folder: bool = False,
    on_progress: OnProgress = lambda _count, _size: None,
) -> Manifest:
    """Write a backup while everything runs.

    Args:
        records: the database.
        store: the artifacts.
        target: the file or folder to make.
        folder: whether it is to be a folder of plain files.
        on_progress: called with how many artifacts and bytes were copied.

    Raises:
        BackupError: something is at the target already.
        DatabaseUnavailableError, StoreUnavailableError: no backup was made.
    """
    inner = store.inner if isinstance(store, CheckedStore) else store
    with (
        written(target, folder=folder) as sink,
        tempfile.TemporaryDirectory(prefix="toile-backup-", dir=target.parent) as scratch,
        _holding(records),
    ):
        header = Header(format=FORMAT, toile=version("toile"), made_at=utc_now())
        sink.add(HEADER, *small(header.model_dump_json().encode()))
        return _Copy(records, inner, sink, Path(scratch), on_progress).run()


class _Copy:
    def __init__(
        self,
        records: Records,
        store: ArtifactStore,
        sink: Sink,
        scratch: Path,
        on_progress: OnProgress,
    ) -> None:
        self._records = records
        self._store = store
        self._sink = sink
        self._scratch = scratch
        self._on_progress = on_progress
        self._copied: dict[str, Copied] = {}
        self._wanted_last: set[str] = set()
        self._bytes = 0

    def run(self) -> Manifest:
        lost: frozenset[str] | None = None
        for _ in range(_ROUNDS):
            rows, revision, now_lost = self._round()
            if not now_lost or now_lost == lost:
                lost = now_lost
                break
            LOG.info("%d artifacts went meanwhile; reading the records again", len(now_lost))
            lost = now_lost
        return self._finish(rows, revision, sorted(lost or ()))

    def _round(self) -> tuple[dict[str, int], str, frozenset[str]]:
        """Write the records, copy what is new of the artifacts; returns what is not there."""
        shutil.rmtree(self._scratch / "rows", ignore_errors=True)
        (self._scratch / "rows").mkdir()
        with self._records.snapshot() as tx:
            rows = portable.export(tx, self._scratch / "rows")
            revision = portable.revision(tx)
            wanted = set(self._wanted(tx))
            named = self._named(tx)
        self._wanted_last = wanted
        for key in sorted(wanted - self._copied.keys()):
            self._artifact(key)
        return rows, revision, frozenset(named - self._copied.keys())

    def _wanted(self, tx: Transaction) -> Iterator[str]:
        """Yield what the store holds of what a snapshot names, caches and open jobs' included."""
        entries: Iterator[Entry] = self._store.entries()
        while page := [one.key for one in islice(entries, _PAGE)]:
            known = [key for key in page if not key.startswith("health/")]
            yield from artifacts.named(tx, known, uploads_kept=_FOR_EVER)

    def _named(self, tx: Transaction) -> set[str]:
        """Return the keys that rows name one by one, and those below the prefixes that they name.

        The files of a prefix are those whose hashes were written down.
        """
        found: set[str] = set()
        for one in artifacts.references(tx):
            if not one.key.endswith("/"):
                found.add(one.key)
        after = ""
        while page := artifacts.after(tx, after):
            keys = [one.key for one in page if not one.key.startswith("uploads/")]
            found |= artifacts.named(tx, keys, uploads_kept=_FOR_EVER)
            after = page[-1].key
        after = ""
        while packs := artifacts.packs(tx, after, most=_PAGE):
            found |= packs.keys()
            after = max(packs)
        return found

    def _artifact(self, key: str) -> None:
        try:
            with _opened(self._store, key) as (file, size):
                hashing = _Hashing(file)
                self._sink.add(f"{ARTIFACTS}{key}", hashing, size)
        except FileNotFoundError:
            return  # it was erased since the snapshot; `run` looks again
        self._copied[key] = Copied(key=key, size=size, sha256=hashing.digest())
        self._bytes += size
        self._on_progress(len(self._copied), self._bytes)

    def _finish(self, rows: dict[str, int], revision: str, missing: list[str]) -> Manifest:
        hashes = {}
        for path in sorted((self._scratch / "rows").iterdir()):
            hashes[path.name] = sha256_of(path)
            with path.open("rb") as file:
                self._sink.add(f"{RECORDS}{path.name}", file, path.stat().st_size)
        manifest = Manifest(
            revision=revision,
            rows=rows,
            records=hashes,
            artifacts=tuple(
                self._copied[key] for key in sorted(self._copied.keys() & self._wanted_last)
            ),
            missing=tuple(missing),
        )
        told = json.dumps(manifest.model_dump(mode="json"), indent=1).encode()
        self._sink.add(MANIFEST, *small(told))
        return manifest


class _Hashing:
    """A file that hashes what is read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data

    def digest(self) -> str:
        return self._digest.hexdigest()


@contextmanager
def _opened(store: ArtifactStore, key: str) -> Iterator[tuple[IO[bytes], int]]:
    """Yield an artifact as a file that does not change any more, and its size."""
    if isinstance(store, LocalArtifacts):
        with store.fetch(key, Path()).open("rb") as own:
            yield own, _length(own)
        return
    with SpooledTemporaryFile(_IN_MEMORY) as copy:
        while part := store.read_range(key, copy.tell(), _CHUNK):
            copy.write(part)
        size = copy.tell()
        copy.seek(0)
        yield copy, size


def _length(file: IO[bytes]) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    return size


@contextmanager
def _holding(records: Records) -> Iterator[None]:
    """Ask that no artifact be removed, again and again while the block runs."""
    hold, over = artifacts.new_hold(), threading.Event()

    def take() -> None:
        with records.transaction() as tx:
            artifacts.hold(tx, hold, seconds=_HOLD_SECONDS)

    def renew() -> None:
        while not over.wait(_HOLD_SECONDS / 4):
            try:
                take()
            except ToileError as error:
                LOG.warning("The hold on artifacts was not renewed: %s", error)

    take()
    thread = threading.Thread(target=renew, name="hold", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with records.transaction() as tx:
            artifacts.release_hold(tx, hold)
