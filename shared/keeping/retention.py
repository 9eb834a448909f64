"""Retention: what is past its time goes, rows first, then the bytes that no row names any more."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.artifacts import ArtifactStore
from shared.errors import StoreUnavailableError
from shared.records import Records, artifacts, retention, sites
from shared.schemas.base import Schema
from shared.schemas.sites import Site
from shared.settings import Settings

LOG: Final = logging.getLogger(__name__)

PROMISE: Final = timedelta(hours=24)
"""How long an idempotency key stands for its request: a client that retries later asks anew."""

_STEP: Final = 200
_STEPS: Final = 25
_IN_USE: Final = timedelta(days=1)
"""A worker that opened an index may go on with it; releases look for a newer one each minute."""


class Going(Schema):
    """How many of each kind went, or would."""

    jobs: int = 0
    designs: int = 0
    artifacts: int = 0
    promises: int = 0
    superseded: int = 0

    def __add__(self, other: "Going") -> "Going":
        return Going(**{name: v + getattr(other, name) for name, v in self})


class Retention:
    """One round of retention. Two at once do no harm: each removes what is still there.

    Args:
        records: the rows.
        store: the bytes.
        settings: how long things are kept where their site says nothing.
    """

    def __init__(self, records: Records, store: ArtifactStore, settings: Settings) -> None:
        self._records = records
        self._store = store
        self._settings = settings

    def planned(self, *, most: int = 1_000_000) -> Going:
        """Count what would go now, and change nothing."""
        total = Going()
        with self._records.reading() as tx:
            for site in sites.every(tx):
                for find, before in self._limits(site, tx.now):
                    jobs = find(tx, site.id, before, most=most)
                    designs = sum(
                        retention.count_designs(tx, jobs[at : at + _STEP])
                        for at in range(0, len(jobs), _STEP)
                    )
                    total += Going(jobs=len(jobs), designs=designs)
            old = retention.superseded(tx, tx.now - _IN_USE, most=most)
            promises = retention.count_promises(tx, tx.now - PROMISE)
        return total + Going(promises=promises, superseded=len(old))

    def run(self) -> Going:
        """Remove what is past its time, at most 25 steps of 200 of each kind.

        While a backup holds the artifacts nothing goes.
        """
        with self._records.reading() as tx:
            if artifacts.is_held(tx):
                LOG.info("A backup is being made; retention waits")
                return Going()
            now, every = tx.now, sites.every(tx)
        total = sum((self._site(site, now) for site in every), Going())
        total += self._superseded(now) + self._promises(now)
        if total != Going():
            LOG.info("Retention removed %s", total)
        return total

    def _limits(self, site: Site, now: datetime) -> Iterator[tuple["_Find", datetime]]:
        for find, own, usual in (
            (retention.designed, site.design_retention_days, self._settings.design_retention_days),
            (retention.bare, site.job_retention_days, self._settings.job_retention_days),
        ):
            days = usual if own is None else own
            if days:
                yield find, now - timedelta(days=days)

    def _site(self, site: Site, now: datetime) -> Going:
        total = Going()
        for find, before in self._limits(site, now):
            for _ in range(_STEPS):
                step = self._jobs(site.id, find, before)
                total += step
                if step.jobs < _STEP:
                    break
        return total

    def _jobs(self, site_id: str, find: "_Find", before: datetime) -> Going:
        with self._records.transaction() as tx:
            if artifacts.is_held(tx):
                return Going()
            jobs = find(tx, site_id, before, most=_STEP)
            designs = retention.count_designs(tx, jobs)
            freed = retention.remove_jobs(tx, jobs)
        # After the commit: a row must never name bytes that are gone. What is left where this
        # process dies between the two is an orphan.
        self._delete(freed)
        return Going(jobs=len(jobs), designs=designs, artifacts=len(freed))

    def _superseded(self, now: datetime) -> Going:
        with self._records.transaction() as tx:
            if artifacts.is_held(tx):
                return Going()
            going = retention.superseded(tx, now - _IN_USE, most=_STEP)
            keys = [key for one in going for key in _files(self._store, one.artifact)]
            retention.remove_superseded(tx, going)
        self._delete(keys)
        return Going(superseded=len(going), artifacts=len(keys))

    def _promises(self, now: datetime) -> Going:
        gone = 0
        for _ in range(_STEPS):
            with self._records.transaction() as tx:
                step = retention.forget_promises(tx, now - PROMISE, most=_STEP)
            gone += step
            if step < _STEP:
                break
        return Going(promises=gone)

    def _delete(self, keys: Sequence[str]) -> None:
        try:
            for key in keys:
                self._store.delete(key)
        except StoreUnavailableError as error:
            LOG.warning("What retention could not delete is left to the orphans' turn: %s", error)


_Find = Callable[..., list[str]]


def _files(store: ArtifactStore, artifact: str) -> list[str]:
    return list(store.keys(artifact)) if artifact.endswith("/") else [artifact]
