"""Verifying: whether all that rows name is in the store, and whole."""

import hashlib
import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

from shared.artifacts import Artifact, ArtifactStore
from shared.keeping.checked import CheckedStore, is_listed
from shared.records import Records, artifacts
from shared.records.artifacts import Kept, Named, Pack
from shared.schemas.base import Schema

_PAGE: Final = 200
_CHUNK: Final = 8 * 2**20

OnProgress = Callable[[int], None]


class Fault(StrEnum):
    """What can be wrong with an artifact."""

    MISSING = "missing"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"


class Finding(Schema):
    """An artifact with which something is wrong.

    `unknown` is a whole artifact, as far as one can see, whose hash was never written down.
    """

    key: str
    by: str
    fault: Fault
    told: str


class Verifier:
    """Looks at every artifact that a row names.

    Args:
        records: the rows and the hashes.
        store: the bytes.
        quick: look only whether artifacts are there, and read none.
        adopt: write down the hashes of artifacts that have none.
        on_progress: called with how many were looked at.
    """

    def __init__(
        self,
        records: Records,
        store: ArtifactStore,
        *,
        quick: bool = False,
        adopt: bool = False,
        on_progress: OnProgress = lambda _count: None,
    ) -> None:
        self._records = records
        self._store = store.inner if isinstance(store, CheckedStore) else store
        self._quick = quick
        self._adopt = adopt and not quick
        self._on_progress = on_progress
        self.looked_at = 0

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong."""
        yield from self._designs()
        for named in self._references():
            if named.key.endswith("/"):
                yield from self._folder(named)
            else:
                yield from self._single(named)

    def _references(self) -> list[Named]:
        # All at once: a transaction that is open for as long as hashing takes would keep a
        # database from tidying up behind its writers. A row costs some hundred bytes.
        with self._records.reading() as tx:
            return list(artifacts.references(tx))

    def _designs(self) -> Iterator[Finding]:
        after = ""
        while True:
            with self._records.reading() as tx:
                page = artifacts.packs(tx, after, most=_PAGE)
            if not page:
                return
            for key, parts in page.items():
                after = key
                self._count()
                yield from self._pack(key, parts)

    def _pack(self, key: str, parts: list[Pack]) -> Iterator[Finding]:
        by = f"designs {parts[0].design_id}"
        if self._quick:
            if not self._store.exists(key):
                yield _missing(key, by)
            return
        try:
            data = self._store.read(key)
        except FileNotFoundError:
            yield _missing(key, by)
            return
        for part in parts:
            end = None if part.length is None else part.start + part.length
            found = hashlib.sha256(data[part.start : end]).hexdigest()
            if found != part.sha256:
                yield _damaged(key, f"designs {part.design_id}", part.sha256, found)

    def _single(self, named: Named) -> Iterator[Finding]:
        with self._records.reading() as tx:
            kept = artifacts.find(tx, named.key)
        expected = named.sha256 or (None if kept is None else kept.sha256)
        yield from self._artifact(named.key, named.by, expected, is_kept=kept is not None)

    def _folder(self, named: Named) -> Iterator[Finding]:
        """Look at a release's or an index's files: those that were written down, and that are."""
        with self._records.reading() as tx:
            kept = {one.key: one for one in artifacts.below(tx, named.key)}
        keys = sorted({*kept, *self._store.keys(named.key)})
        if not keys:
            yield _missing(named.key, named.by)
        for key in keys:
            expected = kept[key].sha256 if key in kept else None
            yield from self._artifact(key, named.by, expected, is_kept=key in kept)
        if named.by.startswith("releases ") and keys:
            yield from self._release(named, keys)

    def _release(self, named: Named, keys: list[str]) -> Iterator[Finding]:
        """Compare the hash of a release's hashes, which its card and its designs speak of."""
        release_id = named.by.split(" ", 1)[1]
        with self._records.reading() as tx:
            expected = artifacts.release_hash(tx, release_id)
            kept = {one.key: one.sha256 for one in artifacts.below(tx, named.key)}
        hashes = {key.removeprefix(named.key): kept[key] for key in keys if key in kept}
        found = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
        if len(hashes) == len(keys) and expected is not None and found != expected:
            yield _damaged(named.key, named.by, expected, found)

    def _artifact(
        self, key: str, by: str, expected: str | None, *, is_kept: bool
    ) -> Iterator[Finding]:
        self._count()
        if self._quick:
            if not self._store.exists(key):
                yield _missing(key, by)
            return
        try:
            found = hashed(self._store, key)
        except FileNotFoundError:
            yield _missing(key, by)
            return
        if expected is not None and found.sha256 != expected:
            yield _damaged(key, by, expected, found.sha256)
        elif not is_kept and is_listed(key):
            if self._adopt:
                self._write_down(found)
            elif expected is None:
                told = "No hash was written down when it was stored; --adopt writes it down."
                yield Finding(key=key, by=by, fault=Fault.UNKNOWN, told=told)

    def _write_down(self, found: Artifact) -> None:
        with self._records.transaction() as tx:
            artifacts.keep(tx, Kept(key=found.key, size=found.size, sha256=found.sha256))

    def _count(self) -> None:
        self.looked_at += 1
        self._on_progress(self.looked_at)


def hashed(store: ArtifactStore, key: str) -> Artifact:
    """Read an artifact in pieces and return its size and hash.

    Raises:
        FileNotFoundError: there is none.
    """
    digest, size = hashlib.sha256(), 0
    while True:
        part = store.read_range(key, size, _CHUNK)
        digest.update(part)
        size += len(part)
        if len(part) < _CHUNK:
            return Artifact(key=key, size=size, sha256=digest.hexdigest())


def _missing(key: str, by: str) -> Finding:
    return Finding(key=key, by=by, fault=Fault.MISSING, told="It is not in the store.")


def _damaged(key: str, by: str, expected: str, found: str) -> Finding:
    told = f"SHA-256 {expected} was stored, {found} is there."
    return Finding(key=key, by=by, fault=Fault.DAMAGED, told=told)
