"""Orphans: artifacts that no row names, left by workers that died between storing and publishing.

Nothing is removed that is young: a worker stores first and publishes then, under a lease, and what
it stored a lease and a day ago it will never publish. Nothing is removed of a kind that this code
does not know: the bucket may be shared.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from shared.artifacts import ArtifactStore, Entry
from shared.records import Records, artifacts
from shared.schemas.base import Schema
from shared.settings import Settings

LOG: Final = logging.getLogger(__name__)

_PAGE: Final = 500


class Swept(Schema):
    """What a sweep did.

    Attributes:
        looked_at: artifacts in the store.
        removed: of them, those that no row names.
        bytes: that these had.
        half_written: temporary files of writers that died.
        struck_out: hashes of artifacts that are neither named nor there.
        place: key after which the next sweep goes on; empty where it came to the end.
    """

    looked_at: int = 0
    removed: int = 0
    bytes: int = 0
    half_written: int = 0
    struck_out: int = 0
    place: str = ""


class Orphans:
    """Finds and removes what no row names. Two at once do no harm: a key is deleted twice.

    Args:
        records: the rows.
        store: the bytes.
        settings: from which age on an artifact that nothing names may go.
    """

    def __init__(self, records: Records, store: ArtifactStore, settings: Settings) -> None:
        self._records = records
        self._store = store
        self._safe = timedelta(seconds=settings.orphan_seconds + settings.lease_seconds)
        self._cache = timedelta(days=settings.cache_retention_days)
        self._uploads = timedelta(days=settings.upload_retention_days)

    def find(self, now: datetime | None = None) -> Iterator[Entry]:
        """Yield all orphans, and change nothing."""
        at = self._now() if now is None else now
        entries = self._store.entries()
        while page := list(islice(entries, _PAGE)):
            yield from self._orphans(page, at)

    def sweep(self, after: str = "", *, seconds: float = 60.0) -> Swept:
        """Remove orphans for about so long, from a place on.

        While a backup holds the artifacts nothing goes.

        Args:
            after: the `place` of the sweep before.
            seconds: when to stop.
        """
        with self._records.reading() as tx:
            held, now = artifacts.is_held(tx), tx.now
        if held:
            return Swept(place=after)
        until = time.monotonic() + seconds
        done = Swept(place=after)
        if not after:
            done = done.model_copy(update={"half_written": self._store.tidy(now - self._safe)})
        entries = self._store.entries(after)
        while page := list(islice(entries, _PAGE)):
            done = self._remove(page, now, done)
            if time.monotonic() > until:
                return done
        struck = self._strike_out()
        return done.model_copy(update={"place": "", "struck_out": struck})

    def _now(self) -> datetime:
        with self._records.reading() as tx:
            return tx.now

    def _remove(self, page: Sequence[Entry], now: datetime, done: Swept) -> Swept:
        going = self._orphans(page, now)
        for one in going:
            LOG.info("Removing the orphan %s (%d bytes, of %s)", one.key, one.size, one.modified)
            self._store.delete(one.key)
        return done.model_copy(
            update={
                "looked_at": done.looked_at + len(page),
                "removed": done.removed + len(going),
                "bytes": done.bytes + sum(one.size for one in going),
                "place": page[-1].key,
            }
        )

    def _orphans(self, page: Sequence[Entry], now: datetime) -> list[Entry]:
        old = {one.key: one for one in page if one.modified < now - self._safe}
        if not old:
            return []
        with self._records.reading() as tx:
            named = artifacts.named(tx, old, uploads_kept=self._uploads)
        return [one for key, one in old.items() if key not in named or self._is_stale(one, now)]

    def _is_stale(self, entry: Entry, now: datetime) -> bool:
        """Return whether an extractor, which no row names, has not been made or used for long."""
        is_cache = artifacts.is_shared_cache(entry.key)
        return is_cache and bool(self._cache) and entry.modified < now - self._cache

    def _strike_out(self) -> int:
        """Strike out the hashes of what is gone: its deletion was cut short."""
        struck, after = 0, ""
        while True:
            with self._records.reading() as tx:
                page = artifacts.after(tx, after, most=_PAGE)
                keys = [one.key for one in page]
                named = artifacts.named(tx, keys, uploads_kept=self._uploads)
            if not page:
                return struck
            gone = [key for key in keys if key not in named and not self._store.exists(key)]
            if gone:
                with self._records.transaction() as tx:
                    artifacts.forget(tx, gone)
            struck, after = struck + len(gone), keys[-1]
