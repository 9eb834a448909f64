"""Admission: designs that could not be made in time are refused when they are asked for."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from shared.errors import NoWorkerError, QueueFullError, QueueUnavailableError, QuotaExceededError
from shared.queue.names import Queue
from shared.queue.presence import Offer, Presence
from shared.records import Records, waiting
from shared.schemas.models import Needs, Release
from shared.settings import Settings
from web.limits import Limits

_SECONDS: Final = 1.0
"""How old a count may be: counting a hundred thousand rows for each request would be the flood."""

_RETRY_SECONDS: Final = 30


class Admission:
    """Says no before a row is written, with the reason and when to ask again."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        presence: Presence,
        site_limits: Limits,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._records = records
        self._presence = presence
        self._site_limits = site_limits
        self._now = now
        self._lock = threading.Lock()
        self._counts: dict[str | None, tuple[float, int]] = {}
        self._workers: tuple[float, Mapping[str, Offer]] | None = None

    def admit(self, site_id: str, jobs: int) -> None:
        """Let a site's design jobs through, or refuse them.

        Args:
            site_id: who asks.
            jobs: how many jobs the request would add.

        Raises:
            NoWorkerError: no worker that makes designs was heard of lately.
            QueueFullError: all sites together have too many jobs waiting.
            QuotaExceededError: this site has.
        """
        self._look_for_workers()
        own = self._site_limits.of(site_id).limits.queued_designs
        limits = ((None, self._settings.queue_limit), (site_id, own))
        for who, limit in limits:
            if limit is None:
                continue
            queued = self._count(who, limit)
            if queued + jobs > limit:
                raise _full(queued, limit) if who is None else _over_quota(queued, limit)
        self._add(site_id, jobs)

    def _look_for_workers(self) -> None:
        workers = self._heard_of()
        if workers is not None and not workers:
            raise NoWorkerError(
                "No worker that makes designs was heard of in the last "
                f"{self._settings.worker_grace_seconds:g} seconds, so this would only wait. Start "
                "one (`toile up`, or the `generate` process of the Procfile) and ask again.",
                retry_after=_RETRY_SECONDS,
            )

    def _heard_of(self) -> Mapping[str, Offer] | None:
        """Return the workers that make designs, or None where nobody can tell.

        Then all is let through: what is accepted is kept, and sent when Redis is back.
        """
        known = self._workers
        if known is not None and known[1] and self._now() < known[0]:
            return known[1]
        try:
            workers = self._presence.serving(Queue.GENERATE)
        except QueueUnavailableError:
            return None
        self._workers = (self._now() + _SECONDS, workers)
        return workers

    def admit_release(self, release: Release) -> None:
        """Let designs of a release through, or refuse them.

        A release from before cards told of `needs` is let through: its format is one of the first,
        and its worker tells of the rest.

        Raises:
            NoWorkerError: no worker that was heard of lately can make designs with it.
        """
        told = release.card.get("needs")
        workers = self._heard_of()
        if told is None or not workers:  # where none is there, `admit` has said so
            return
        needs = Needs.model_validate(told)
        reading = [one for one in workers.values() if needs.format in one.formats]
        if not reading:
            raise _too_new(release, needs, workers)
        if not any(needs.memory <= one.memory for one in reading):
            raise _too_large(release, needs, reading)

    def _count(self, site_id: str | None, limit: int) -> int:
        now = self._now()
        with self._lock:
            known = self._counts.get(site_id)
        if known is not None and now - known[0] < _SECONDS:
            return known[1]
        with self._records.reading() as tx:
            queued = waiting.count(tx, site_id=site_id, most=limit + 1)
        with self._lock:
            self._counts[site_id] = (now, queued)
        return queued

    def _add(self, site_id: str, jobs: int) -> None:
        """Count what was let through since, so that a burst cannot pass between two counts."""
        with self._lock:
            for who in (None, site_id):
                if who in self._counts:
                    at, queued = self._counts[who]
                    self._counts[who] = (at, queued + jobs)


def _too_new(release: Release, needs: Needs, workers: Mapping[str, Offer]) -> NoWorkerError:
    formats = sorted({one for offer in workers.values() for one in offer.formats})
    return NoWorkerError(
        f"Release {release.id} has format {needs.format}, and the workers that are there read "
        f"{' and '.join(map(str, formats)) or 'none'}. Let the operator update a `generate` "
        "worker, and ask again; or ask for an earlier release.",
        release=release.id,
        retry_after=_RETRY_SECONDS,
    )


def _too_large(release: Release, needs: Needs, reading: Sequence[Offer]) -> NoWorkerError:
    return NoWorkerError(
        f"Release {release.id} needs {needs.memory} bytes of memory, and the largest worker that "
        f"is there keeps {max(one.memory for one in reading)} (TOILE_MODELS_MEMORY). Let the "
        "operator raise that, and ask again; or ask for a smaller release.",
        release=release.id,
        retry_after=_RETRY_SECONDS,
    )


def _full(queued: int, limit: int) -> QueueFullError:
    return QueueFullError(
        f"{queued} design jobs wait already and {limit} may (TOILE_QUEUE_LIMIT). Ask again later, "
        "or let the operator add workers.",
        queued=queued,
        limit=limit,
        retry_after=_RETRY_SECONDS,
    )


def _over_quota(queued: int, limit: int) -> QuotaExceededError:
    return QuotaExceededError(
        f"This site has {queued} design jobs waiting and may have {limit} "
        "(TOILE_SITE_QUEUE_LIMIT). Ask again when some are done, or cancel some.",
        quota="queued_designs",
        queued=queued,
        used=queued,
        limit=limit,
        retry_after=_RETRY_SECONDS,
    )
