"""Sites and their keys."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, update

from shared import ids
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import ApiKeyRow, SiteRow
from shared.schemas.keys import ALL_SCOPES, ApiKey, NewApiKey, Scope, is_origin
from shared.schemas.sites import Site

_BEGINS: Final = "toile_"
_PUBLISHABLE: Final = "toile_pub_"
_HEAVIEST: Final = 1000.0
_OFTENEST: Final = 60.0  # beat looks once a minute
_SELDOMEST: Final = 366 * 86_400.0
_SHOWN: Final = 6
_USE_SECONDS: Final = 60
_LEAST_DAYS: Final = 1 / 24
_MOST_DAYS: Final = 36_500.0


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


def create_key(
    tx: Transaction,
    site_id: str,
    *,
    name: str,
    scopes: Sequence[Scope] = ALL_SCOPES,
    expires_at: datetime | None = None,
) -> NewApiKey:
    """Make a key; what this returns is the only place where its secret ever stands.

    Args:
        tx: the open transaction.
        site_id: whose key it is.
        name: what it is for.
        scopes: what it may do.
        expires_at: when it ends by itself; None for never.

    Raises:
        InvalidInputError: it could do nothing, or would be over already.
    """
    if not scopes:
        named = ", ".join(Scope)
        raise InvalidInputError(f"A key without a scope opens nothing. Name some of {named}.")
    return _add_key(tx, site_id, name=name, scopes=scopes, expires_at=expires_at)


def create_publishable_key(
    tx: Transaction,
    site_id: str,
    *,
    name: str,
    origins: Sequence[str],
    expires_at: datetime | None = None,
) -> NewApiKey:
    """Make a key for the pages of a shop: it says whose page asks, and lets nobody in by itself.

    Args:
        tx: the open transaction.
        site_id: whose key it is.
        name: what it is for.
        origins: the pages that may send it, as browsers name them.
        expires_at: when it ends by itself; None for never.

    Raises:
        InvalidInputError: it has no origin, or one that no browser would send.
    """
    wrong = [one for one in origins if not is_origin(one)]
    if wrong or not origins:
        raise InvalidInputError(
            f"{f'{wrong[0]!r} is no origin' if wrong else 'A publishable key needs an origin'}. "
            "Name each as browsers send it: https://shop.example, or http://localhost:3000 on your "
            "own machine; lower case, no path, no `*`, and no port where it is the usual one."
        )
    return _add_key(tx, site_id, name=name, origins=origins, expires_at=expires_at)


def find_key(tx: Transaction, secret: str) -> ApiKey | None:
    """Return the key with this secret, or None where it is unknown, revoked or over.

    The look-up is by a hash of the secret, so its timing tells nothing about other secrets.
    """
    row = tx.session.scalars(
        select(ApiKeyRow).where(ApiKeyRow.secret_hash == hash_secret(secret))
    ).first()
    return _living(tx, row)


def get_key(tx: Transaction, key_id: str) -> ApiKey | None:
    """Return the key of this id, or None where it is unknown, revoked or over."""
    return _living(tx, tx.session.get(ApiKeyRow, key_id))


def own_key(tx: Transaction, site_id: str, key_id: str) -> ApiKey:
    """Return a site's key, whatever became of it.

    Raises:
        NotFoundError: the site has none of that id.
    """
    return ApiKey(**_key_columns(_key_of(tx, key_id, site_id)))


def keys_of(tx: Transaction, site_id: str) -> list[ApiKey]:
    """Return a site's keys, oldest first, revoked ones too."""
    rows = tx.session.execute(
        select(ApiKeyRow).where(ApiKeyRow.site_id == site_id).order_by(ApiKeyRow.created_at)
    ).scalars()
    return [ApiKey(**_key_columns(row)) for row in rows]


def keys_page(
    tx: Transaction, site_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[ApiKey]:
    """Return a site's keys, newest first, revoked ones too."""
    query = select(ApiKeyRow).where(ApiKeyRow.site_id == site_id)
    order = (ApiKeyRow.created_at, ApiKeyRow.id)
    return page_of(
        tx, query, order=order, cursor=cursor, limit=limit,
        read=lambda row: ApiKey(**_key_columns(row)),
    )  # fmt: skip


def revoke_key(tx: Transaction, key_id: str, *, site_id: str | None = None) -> ApiKey:
    """Make a key useless; a second call changes nothing.

    Raises:
        NotFoundError: there is no such key, or it is another site's.
    """
    row = _key_of(tx, key_id, site_id)
    row.revoked_at = row.revoked_at or tx.now
    tx.session.flush()
    return ApiKey(**_key_columns(row))


def rotate_key(
    tx: Transaction, key_id: str, *, overlap: timedelta, site_id: str | None = None
) -> NewApiKey:
    """Put a new key in the place of one, which goes on for a while beside it.

    The new one may do the same, and lives as long as the old one was given when it was made.

    Args:
        tx: the open transaction.
        key_id: the key to replace.
        overlap: how long the old secret goes on, at most until it would have ended anyway.
        site_id: whose key it must be, where that matters.

    Raises:
        NotFoundError: there is no such key, or it is another site's.
        ConflictError: it is revoked, over, or replaced already.
    """
    row = _key_of(tx, key_id, site_id)
    if _living(tx, row) is None or row.replaced_by is not None:
        became = f"replaced by {row.replaced_by}" if row.replaced_by else "revoked, or over"
        raise ConflictError(
            f"The key {key_id} is {became} already. Rotate the one that is in use, or make a new "
            "key.",
            key=row.replaced_by or key_id,
        )
    life = None if row.expires_at is None else row.expires_at - row.created_at
    made = _add_key(
        tx,
        row.site_id,
        name=row.name,
        scopes=[Scope(one) for one in row.scopes],
        origins=row.origins,
        expires_at=None if life is None else tx.now + life,
    )
    row.replaced_by = made.id
    row.expires_at = min(row.expires_at or tx.now + overlap, tx.now + overlap)
    tx.session.flush()
    return made


def note_use(tx: Transaction, key_ids: Iterable[str]) -> None:
    """Write that keys were used now, of each at most once a minute."""
    before = tx.now - timedelta(seconds=_USE_SECONDS)
    stale = or_(ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at < before)
    tx.session.execute(
        update(ApiKeyRow).where(ApiKeyRow.id.in_(list(key_ids)), stale).values(last_used_at=tx.now),
        execution_options={"synchronize_session": False},
    )


def origins(tx: Transaction) -> frozenset[str]:
    """Return the origins of all publishable keys that are neither revoked nor over."""
    rows = tx.session.execute(
        select(ApiKeyRow.origins, ApiKeyRow.expires_at).where(
            ApiKeyRow.publishable, ApiKeyRow.revoked_at.is_(None)
        )
    )
    now = tx.now
    return frozenset(one for found, until in rows if until is None or until > now for one in found)


def _add_key(
    tx: Transaction,
    site_id: str,
    *,
    name: str,
    scopes: Sequence[Scope] = (),
    origins: Sequence[str] = (),
    expires_at: datetime | None,
) -> NewApiKey:
    if expires_at is not None and expires_at <= tx.now:
        raise InvalidInputError(f"A key that ends at {expires_at:%Y-%m-%dT%H:%M:%SZ} is over now.")
    # What has origins is for pages; `create_key` gives scopes alone.
    begins = _PUBLISHABLE if origins else _BEGINS
    secret = begins + secrets.token_urlsafe(32)
    row = ApiKeyRow(
        id=ids.new_id(ids.KEY),
        site_id=site_id,
        name=name,
        prefix=secret[: len(begins) + _SHOWN],
        secret_hash=hash_secret(secret),
        scopes=[one.value for one in Scope if one in scopes],
        publishable=bool(origins),
        origins=sorted(set(origins)),
        created_at=tx.now,
        expires_at=expires_at,
    )
    tx.session.add(row)
    tx.session.flush()
    return NewApiKey(**_key_columns(row), secret=secret)


def _key_of(tx: Transaction, key_id: str, site_id: str | None) -> ApiKeyRow:
    row = tx.session.get(ApiKeyRow, key_id)
    if row is None or site_id not in {None, row.site_id}:
        raise NotFoundError(f"There is no key {key_id!r}. `toile key list` shows them.", id=key_id)
    return row


def _living(tx: Transaction, row: ApiKeyRow | None) -> ApiKey | None:
    if row is None or row.revoked_at is not None:
        return None
    if row.expires_at is not None and row.expires_at <= tx.now:
        return None
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
