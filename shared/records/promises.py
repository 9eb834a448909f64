"""Promises: what an idempotency key stands for, and the answer that it was given.

A promise is written in the transaction of what it stands for, so that there is never one without
the other. Two requests with one key at once meet at the table's primary key: the second waits for
the first to end, and finds its promise.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from shared.records.engine import Transaction
from shared.records.tables import Base, IdempotencyKeyRow
from shared.records.told import among, listed
from shared.schemas.base import Schema

KEPT: Final = timedelta(hours=24)
"""How long a key stands for its first request."""

# A table, not a mapped class: a batch of jobs has a thousand of them.
_KEYS: Final = Base.metadata.tables[IdempotencyKeyRow.__tablename__]


class TakenError(Exception):
    """Another request with the same key was first, and has committed."""


class Promise(Schema):
    """What a key stands for.

    Attributes:
        fingerprint: hash of the request that it came with.
        job_id: the job that the request made, or spoke of.
        answer: of a request that makes no job, what it was answered.
        at: when.
    """

    fingerprint: str
    job_id: str | None
    answer: dict[str, Any] | None
    at: datetime


def find(tx: Transaction, site_id: str, keys: Collection[str]) -> dict[str, Promise]:
    """Return what keys stand for; those that are new, or older than a day, are left out."""
    query = select(
        _KEYS.c.key, _KEYS.c.fingerprint, _KEYS.c.job_id, _KEYS.c.answer, _KEYS.c.created_at
    ).where(_KEYS.c.site_id == site_id, among(_KEYS.c.key, "keys"))
    found = {
        key: Promise(fingerprint=mark, job_id=job_id, answer=answer, at=at)
        for key, mark, job_id, answer, at in tx.session.execute(query, {"keys": listed(keys)})
    }
    if not found:
        return found
    since = tx.now - KEPT
    return {key: one for key, one in found.items() if one.at > since}


def keep(
    tx: Transaction,
    site_id: str,
    jobs_of: Mapping[str, str | None],
    *,
    fingerprint: str,
) -> None:
    """Bind keys to jobs, key -> job id; None where the request makes no job.

    Raises:
        sqlalchemy.exc.IntegrityError: another request with one of the keys was first.
    """
    if not jobs_of:
        return
    _forget(tx, site_id, jobs_of)
    rows = [
        {"site_id": site_id, "key": key, "fingerprint": fingerprint, "job_id": job_id,
         "created_at": tx.now}
        for key, job_id in jobs_of.items()
    ]  # fmt: skip
    tx.session.execute(insert(_KEYS), rows)


def reserve(tx: Transaction, site_id: str, key: str, *, fingerprint: str) -> None:
    """Keep a key for what the rest of the transaction does; another request with it waits.

    Raises:
        TakenError: another request with the key was first.
    """
    try:
        keep(tx, site_id, {key: None}, fingerprint=fingerprint)
    except IntegrityError:
        raise TakenError from None


def answer(
    tx: Transaction,
    site_id: str,
    key: str,
    said: Mapping[str, Any],
    *,
    job_id: str | None = None,
    shopper_id: str | None = None,
) -> None:
    """Write down what the request of a key was answered.

    Args:
        tx: the transaction in which the key was kept.
        site_id: whose key it is.
        key: the caller's word for the request.
        said: the answer, without secrets.
        job_id: the job of which it speaks, so that it goes with it.
        shopper_id: the shopper of whom it speaks, so that it goes when they do.
    """
    tx.session.execute(
        update(_KEYS)
        .where(_KEYS.c.site_id == site_id, _KEYS.c.key == key)
        .values(answer=dict(said), job_id=job_id, shopper_id=shopper_id)
    )


def _forget(tx: Transaction, site_id: str, keys: Collection[str]) -> None:
    """Take away what keys stood for more than a day ago; retention may not have come by yet."""
    old = _KEYS.c.created_at <= tx.now - KEPT
    tx.session.execute(
        delete(_KEYS).where(_KEYS.c.site_id == site_id, among(_KEYS.c.key, "keys"), old),
        {"keys": listed(keys)},
    )
