"""The limits of single sites, where they differ from the server's settings."""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Final

from sqlalchemy import func, select

from shared.errors import InvalidInputError
from shared.records.engine import Glance, Transaction
from shared.records.tables import Base, JobRow, SiteLimitsRow
from shared.schemas.base import Schema
from shared.schemas.jobs import JobKind, JobState
from shared.schemas.usage import SiteLimits
from shared.settings import Settings

UNLIMITED: Final = -1
_LIMITS: Final = Base.metadata.tables[SiteLimitsRow.__tablename__]
_LARGEST: Final = 2**31 - 1
_LARGEST_LONG: Final = 2**62
_LONG: Final = frozenset({"designs_a_day", "storage_bytes"})
_WHOLE: Final = frozenset({*_LONG, "burst", "queued_designs", "queued_others"})
_ABOVE_ZERO: Final = frozenset({"rate", "burst", "poll_rate"})


class OwnLimits(Schema):
    """What was set for one site: None is the server's own setting, -1 no limit."""

    rate: float | None = None
    burst: int | None = None
    poll_rate: float | None = None
    queued_designs: int | None = None
    queued_others: int | None = None
    designs_a_day: int | None = None
    training_minutes_a_month: float | None = None
    storage_bytes: int | None = None
    link_salt: str | None = None


NAMES: Final = tuple(name for name in OwnLimits.model_fields if name != "link_salt")


def own(tx: Transaction | Glance, site_id: str) -> OwnLimits:
    """Return what was set for a site, by one statement."""
    row = tx.session.execute(select(_LIMITS).where(_LIMITS.c.site_id == site_id)).one_or_none()
    if row is None:
        return OwnLimits()
    return OwnLimits.model_validate({name: row._mapping[name] for name in OwnLimits.model_fields})  # noqa: SLF001 - SQLAlchemy's documented name


def resolved(settings: Settings, found: OwnLimits) -> SiteLimits:
    """Return what a site may use: its own limits, else the server's."""
    usual = {
        "rate": settings.rate_limit,
        "burst": settings.rate_burst,
        "poll_rate": settings.poll_limit,
        "queued_designs": settings.site_queue_limit,
        "queued_others": settings.site_other_limit,
        "designs_a_day": settings.site_designs_a_day,
        "training_minutes_a_month": settings.site_training_minutes,
        "storage_bytes": settings.site_storage,
    }
    told = {name: getattr(found, name) for name in NAMES}
    mixed = {name: usual[name] if value is None else value for name, value in told.items()}
    return SiteLimits.model_validate(
        {name: None if value == UNLIMITED else value for name, value in mixed.items()}
    )


def of(tx: Transaction | Glance, site_id: str, settings: Settings) -> SiteLimits:
    """Return what a site may use."""
    return resolved(settings, own(tx, site_id))


def change(tx: Transaction, site_id: str, values: Mapping[str, float | None]) -> OwnLimits:
    """Set some of a site's limits; None goes back to the server's setting, -1 is no limit.

    Raises:
        InvalidInputError: a limit is below 0, is no whole number where one is needed, or is 0
            where nothing would work any more.
    """
    checked = {name: _checked(name, value) for name, value in values.items()}
    row = _row(tx, site_id)
    for name, value in checked.items():
        setattr(row, name, value)
    tx.session.flush()
    return own(tx, site_id)


def rotate_links(tx: Transaction, site_id: str) -> None:
    """End all signed links of a site that were given out."""
    _row(tx, site_id).link_salt = secrets.token_hex(16)
    tx.session.flush()


def lock(tx: Transaction, site_id: str) -> None:
    """Let two requests of a site at once see each other; SQLite has one writer at a time anyway."""
    if tx.session.get_bind().dialect.name == "postgresql":
        mark = hashlib.blake2b(f"limits {site_id}".encode(), digest_size=8).digest()
        number = int.from_bytes(mark, signed=True)
        tx.session.execute(select(func.pg_advisory_xact_lock(number)))


def count_others(tx: Transaction, site_id: str, *, most: int) -> int:
    """Return how many of a site's jobs wait that are no design jobs, counted to `most`."""
    waiting = select(JobRow.id).where(
        JobRow.site_id == site_id,
        JobRow.state == JobState.QUEUED,
        JobRow.kind != JobKind.DESIGN,
    )
    counted = select(func.count()).select_from(waiting.limit(most).subquery())
    return tx.session.execute(counted).scalar_one()


def reserved_minutes(tx: Transaction, site_id: str) -> float:
    """Return the minutes that a site's trainings that are not over were asked to take at most."""
    query = select(JobRow.spec).where(
        JobRow.site_id == site_id,
        JobRow.kind == JobKind.TRAINING,
        JobRow.state.in_([JobState.QUEUED, JobState.RUNNING]),
    )
    budgets = [spec.get("budget") or {} for spec in tx.session.scalars(query)]
    return sum(float(budget.get("minutes") or 0) for budget in budgets)


def _row(tx: Transaction, site_id: str) -> SiteLimitsRow:
    lock(tx, site_id)
    row = tx.session.get(SiteLimitsRow, site_id)
    if row is None:
        row = SiteLimitsRow(site_id=site_id)
        tx.session.add(row)
    return row


def _checked(name: str, value: float | None) -> float | None:
    if value is None or (value == UNLIMITED and name != "burst"):
        return value
    least = 0 if name not in _ABOVE_ZERO else 1 if name in _WHOLE else 0.001
    most = _LARGEST_LONG if name in _LONG else _LARGEST
    fits = least <= value <= most and (name not in _WHOLE or float(value).is_integer())
    if not fits:
        kind = "whole number" if name in _WHOLE else "number"
        raise InvalidInputError(
            f"{name} is a {kind} from {least:g} to {most}; got {value:g}. `default` goes back to "
            "the server's setting."
        )
    return int(value) if name in _WHOLE else value
