"""Sites and their keys."""

import hashlib
import secrets
from typing import Final

from sqlalchemy import select

from shared import ids
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import columns_of
from shared.records.tables import ApiKeyRow, SiteRow
from shared.schemas.sites import ApiKey, NewApiKey, Site

_VISIBLE: Final = "toile_"
_HEAVIEST: Final = 1000.0
_OFTENEST: Final = 60.0  # beat looks once a minute
_SELDOMEST: Final = 366 * 86_400.0
_LEAST_DAYS: Final = 1 / 24
_MOST_DAYS: Final = 36_500.0
_PREFIX_LENGTH: Final = len(_VISIBLE) + 6


def create(tx: Transaction, name: str) -> Site:
    """Make a site.

    Raises:
        ConflictError: there is one of that name.
    """
    if by_name(tx, name) is not None:
        raise ConflictError(f"There is a site named {name!r} already. Choose another name.")
    row = SiteRow(id=ids.new_id(ids.SITE), name=name, created_at=tx.now)
    tx.session.add(row)
    tx.session.flush()
    return _site(row)


def by_name(tx: Transaction, name: str) -> Site | None:
    """Return the site of that name, or None."""
    row = tx.session.execute(select(SiteRow).where(SiteRow.name == name)).scalar_one_or_none()
    return None if row is None else _site(row)


def get(tx: Transaction, site_id: str) -> Site:
    """Return a site.

    Raises:
        NotFoundError: there is none of that id.
    """
    row = tx.session.get(SiteRow, site_id)
    if row is None:
        raise NotFoundError(f"There is no site {site_id!r}.")
    return _site(row)


def every(tx: Transaction) -> list[Site]:
    """Return all sites, oldest first."""
    rows = tx.session.execute(select(SiteRow).order_by(SiteRow.created_at, SiteRow.id)).scalars()
    return [_site(row) for row in rows]


def set_weight(tx: Transaction, name: str, weight: float) -> Site:
    """Set a site's part of the batches that several sites wait for; 1 is usual.

    Raises:
        NotFoundError: there is no site of that name.
        InvalidInputError: the weight is not above 0.
    """
    if not 0 < weight <= _HEAVIEST:
        raise InvalidInputError(
            f"A site's weight is above 0 and at most {_HEAVIEST:g}; got {weight:g}."
        )
    row = _named(tx, name)
    row.weight = weight
    tx.session.flush()
    return _site(row)


def set_schedule(tx: Transaction, name: str, seconds: float | None) -> Site:
    """Set how often a site's trend report is made anew; None is the server's own schedule, 0 never.

    Raises:
        NotFoundError: there is no site of that name.
        InvalidInputError: it is less than 0, or above 0 and less than a minute.
    """
    if seconds is not None and not (seconds == 0 or _OFTENEST <= seconds <= _SELDOMEST):
        raise InvalidInputError(
            f"A schedule is 0 (never), or from {_OFTENEST:g} to {_SELDOMEST:g} seconds; got "
            f"{seconds:g}."
        )
    row = _named(tx, name)
    row.trend_schedule_seconds = seconds
    tx.session.flush()
    return _site(row)


def set_retention(tx: Transaction, name: str, *, designs: float | None, jobs: float | None) -> Site:
    """Set after how many days a site's designs and jobs go; None is the server's own, 0 never.

    Raises:
        NotFoundError: there is no site of that name.
        InvalidInputError: it is less than 0, or above 0 and less than an hour.
    """
    for days in (designs, jobs):
        if days is not None and days != 0 and not _LEAST_DAYS <= days <= _MOST_DAYS:
            raise InvalidInputError(
                f"A retention is 0 (for ever), or from an hour (0.042) to {_MOST_DAYS:g} days; got "
                f"{days:g}."
            )
    row = _named(tx, name)
    row.design_retention_days, row.job_retention_days = designs, jobs
    tx.session.flush()
    return _site(row)


def _named(tx: Transaction, name: str) -> SiteRow:
    row = tx.session.execute(select(SiteRow).where(SiteRow.name == name)).scalar_one_or_none()
    if row is None:
        raise NotFoundError(f"There is no site named {name!r}. `toile site list` shows them.")
    return row


def create_key(tx: Transaction, site_id: str, *, name: str) -> NewApiKey:
    """Make a key; what this returns is the only place where its secret ever stands."""
    secret = _VISIBLE + secrets.token_urlsafe(32)
    row = ApiKeyRow(
        id=ids.new_id(ids.KEY),
        site_id=site_id,
        name=name,
        prefix=secret[:_PREFIX_LENGTH],
        secret_hash=hash_secret(secret),
        created_at=tx.now,
    )
    tx.session.add(row)
    tx.session.flush()
    return NewApiKey(**_key_columns(row), secret=secret)


def find_key(tx: Transaction, secret: str) -> ApiKey | None:
    """Return the key with this secret, or None where it is unknown or revoked.

    The look-up is by a hash of the secret, so its timing tells nothing about other secrets.
    """
    row = tx.session.execute(
        select(ApiKeyRow).where(
            ApiKeyRow.secret_hash == hash_secret(secret), ApiKeyRow.revoked_at.is_(None)
        )
    ).scalar_one_or_none()
    return None if row is None else ApiKey(**_key_columns(row))


def get_key(tx: Transaction, key_id: str) -> ApiKey | None:
    """Return the key of this id, or None where it is unknown or revoked."""
    row = tx.session.get(ApiKeyRow, key_id)
    return None if row is None or row.revoked_at is not None else ApiKey(**_key_columns(row))


def keys_of(tx: Transaction, site_id: str) -> list[ApiKey]:
    """Return a site's keys, oldest first, revoked ones too."""
    rows = tx.session.execute(
        select(ApiKeyRow).where(ApiKeyRow.site_id == site_id).order_by(ApiKeyRow.created_at)
    ).scalars()
    return [ApiKey(**_key_columns(row)) for row in rows]


def revoke_key(tx: Transaction, key_id: str) -> ApiKey:
    """Make a key useless; a second call changes nothing.

    Raises:
        NotFoundError: there is no such key.
    """
    row = tx.session.get(ApiKeyRow, key_id)
    if row is None:
        raise NotFoundError(f"There is no key {key_id!r}. `toile key list` shows them.")
    row.revoked_at = row.revoked_at or tx.now
    tx.session.flush()
    return ApiKey(**_key_columns(row))


def hash_secret(secret: str) -> str:
    """Return what is kept of a secret: SHA-256 in hex.

    A key is 256 random bits, so a slow hash for guessable passwords would only slow the API.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def _site(row: SiteRow) -> Site:
    return Site(**columns_of(row))


def _key_columns(row: ApiKeyRow) -> dict[str, object]:
    return {name: value for name, value in columns_of(row).items() if name != "secret_hash"}
