"""Quotas: whether a site may add jobs, looked at in the transaction that writes them.

So two requests at once cannot both pass where there is room for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from shared.errors import QuotaExceededError, StorageFullError
from shared.records import Transaction, limits, usage
from shared.schemas.jobs import JobKind, JobRecord
from shared.schemas.usage import MICRO, Measure, SiteLimits

_RETRY_SECONDS: Final = 30
_ADDING: Final = frozenset({JobKind.INGEST, JobKind.FEED, JobKind.TRAINING})
"""Jobs that come seldom and may keep much: for them the storage is measured anew."""


@dataclass(frozen=True)
class Quotas:
    """The quotas of one site."""

    limits: SiteLimits

    def admit(self, tx: Transaction, site_id: str, added: Sequence[JobRecord]) -> None:
        """Let new jobs of the site through, or refuse all of them.

        Raises:
            QuotaExceededError: too many wait, or the day's images or month's minutes are used up.
            StorageFullError: the site keeps as many bytes as it may.
        """
        others = [job for job in added if job.kind is not JobKind.DESIGN]
        if others:
            limits.lock(tx, site_id)
            self._admit_others(tx, site_id, len(others))
            self._admit_trainings(tx, site_id, others)
        self._admit_storage(tx, site_id, added)
        images = sum(job.units for job in added if job.kind is JobKind.DESIGN)
        if images:
            self._admit_images(tx, site_id, images)

    def _admit_others(self, tx: Transaction, site_id: str, jobs: int) -> None:
        limit = self.limits.queued_others
        if limit is None:
            return
        queued = limits.count_others(tx, site_id, most=limit + 1)
        if queued + jobs > limit:
            raise QuotaExceededError(
                f"This site has {queued} trainings, ingests, reports and other such jobs waiting, "
                f"and may have {limit}. Ask again when some are done, or cancel some.",
                quota="queued_others",
                used=queued,
                limit=limit,
                retry_after=_RETRY_SECONDS,
            )

    def _admit_trainings(self, tx: Transaction, site_id: str, added: Sequence[JobRecord]) -> None:
        limit = self.limits.training_minutes_a_month
        trainings = [job for job in added if job.kind is JobKind.TRAINING]
        if limit is None or not trainings:
            return
        month = tx.now.date().replace(day=1)
        spent = usage.sum_of(tx, site_id, Measure.TRAINING, since=month) / MICRO / 60
        reserved = limits.reserved_minutes(tx, site_id)
        asked = sum(float((job.spec["budget"] or {}).get("minutes") or 0) for job in trainings)
        used = spent + reserved
        if used + asked > limit or used >= limit:
            raise QuotaExceededError(
                f"This site has used {spent:.1f} minutes of training this month, {reserved:g} more "
                f"are under way, and {limit:g} are allowed: no room for {asked:g}. Ask for a "
                "smaller budget, cancel a training that waits, or wait for the next month.",
                quota="training_minutes_a_month",
                used=round(used, 3),
                limit=limit,
                retry_after=_until(tx.now, _next_month(month)),
            )

    def _admit_images(self, tx: Transaction, site_id: str, images: int) -> None:
        limit = self.limits.designs_a_day
        if limit is None:
            return
        used = usage.reserve(tx, site_id, images) - images
        if used + images > limit:
            raise QuotaExceededError(
                f"This site has asked for {used} images today (UTC) and may ask for {limit}: no "
                f"room for {images} more. Ask for fewer, or again tomorrow.",
                quota="designs_a_day",
                used=used,
                limit=limit,
                retry_after=_until(tx.now, tx.now.date() + timedelta(days=1)),
            )

    def _admit_storage(self, tx: Transaction, site_id: str, added: Sequence[JobRecord]) -> None:
        limit = self.limits.storage_bytes
        if limit is None:
            return
        if any(job.kind in _ADDING for job in added):
            used = usage.measure_storage(tx, site_id)
        else:  # designs are small and come in crowds: as last measured will do
            used = usage.stored(tx, site_id) or 0
        if used >= limit:
            raise StorageFullError(
                f"This site keeps {used} bytes and may keep {limit}. Remove what is not needed any "
                "more, or let the operator raise the limit.",
                quota="storage_bytes",
                used=used,
                limit=limit,
            )


def _next_month(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def _until(now: datetime, day: date) -> int:
    """Return the seconds until a day begins, UTC."""
    begins = datetime(day.year, day.month, day.day, tzinfo=now.tzinfo)
    return max(1, -int((now - begins).total_seconds()))
