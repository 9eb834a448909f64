"""Submitting: the row and the caller's promise in one transaction, the message after it."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from shared import ids
from shared.errors import ConflictError, IdempotencyMismatchError, QueueUnavailableError
from shared.queue.sender import Sender
from shared.records import Records, Transaction, jobs, shoppers
from shared.schemas.designs import Priority
from shared.schemas.jobs import DesignSpec, JobKind, JobRecord, JobState, Spec

LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """On what terms a job is asked for, beside what is asked.

    Attributes:
        priority: how urgent it is.
        expires_in: seconds after which it is not to be started any more.
        fresh: whether it is computed even where an equal request was answered already.
        repeatable: whether an equal spec gives equal results, so that one may stand for another.
        shopper_id: for whom it is, so that it goes when they do.
    """

    priority: Priority = Priority.NORMAL
    expires_in: float | None = None
    fresh: bool = False
    repeatable: bool = False
    shopper_id: str | None = None


USUAL: Final = Terms()


@dataclass(frozen=True)
class Asked:
    """A job to submit: what is asked, and on what terms."""

    spec: Spec
    terms: Terms = USUAL


def enqueue(
    tx: Transaction,
    site_id: str,
    spec: Spec,
    *,
    idempotency_key: str | None = None,
    fingerprint: str | None = None,
    period: str | None = None,
    terms: Terms = USUAL,
) -> JobRecord:
    """Write a job's row, to be sent once the transaction is through.

    Args:
        tx: the open transaction; what else belongs to the job goes into the same one.
        site_id: whose job it is.
        spec: what is asked.
        idempotency_key: the caller's word that two requests are one.
        fingerprint: hash of the request as the caller sent it; the spec's own where None.
        period: for periodic jobs, what makes them one: a second one of the same period is refused
            by the table.
        terms: how urgent it is, and until when it is wanted.

    Returns:
        The new job; or the one that the idempotency key already stands for; or the one that makes,
        or made, just this, unless the terms want it computed anew.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
        NotFoundError: the shopper of the terms was erased.
    """
    if terms.shopper_id is not None:
        shoppers.hold(tx, terms.shopper_id)  # or a job could be left of one who is being erased
    body = spec.model_dump(mode="json")
    if idempotency_key is not None:
        mark = fingerprint or fingerprint_of(body)
        promised = find_promised(tx, site_id, idempotency_key, mark)
        if promised is not None:
            return promised
    job = _joined(tx, site_id, body, terms)
    if job is None:
        job = _new_job(tx, site_id, spec, body, terms, period)
        jobs.insert(tx, job)
    if idempotency_key is not None:
        jobs.promise(tx, site_id, idempotency_key, fingerprint=mark, job_id=job.id)
    return job


def find_promised(
    tx: Transaction, site_id: str, idempotency_key: str, fingerprint: str
) -> JobRecord | None:
    """Return the job that an idempotency key stands for, or None where it is new.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
    """
    promised = jobs.promised(tx, site_id, idempotency_key)
    if promised is None:
        return None
    job_id, before = promised
    if before != fingerprint:
        raise IdempotencyMismatchError(
            "This Idempotency-Key was used for another request. Use a new key for a new request, "
            "or send the first request again unchanged.",
            job=job_id,
        )
    return jobs.get(tx, job_id)


def find_all_promised(
    tx: Transaction, site_id: str, idempotency_key: str, fingerprint: str, *, count: int
) -> list[JobRecord] | None:
    """Return the jobs that a key stands for, in the order of their request, or None if it is new.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
    """
    found = [
        find_promised(tx, site_id, key, fingerprint)
        for key in _promises(idempotency_key, count)
        if key is not None
    ]
    jobs_found = [job for job in found if job is not None]
    return jobs_found if len(jobs_found) == count else None


def send(records: Records, sender: Sender, accepted: Sequence[JobRecord]) -> None:
    """Send the messages of accepted jobs. Where Redis is away, upkeep sends them later.

    Designs need one message a release, and leave no mark: whether a release was told of its work
    is seen from what waits, not from a column.
    """
    waiting = [job for job in accepted if job.state is JobState.QUEUED and job.sent_at is None]
    releases = {job.release_id: job for job in waiting if job.kind is JobKind.DESIGN}
    others = [job for job in waiting if job.kind is not JobKind.DESIGN]
    sent: list[str] = []
    try:
        for job in releases.values():
            sender.send_job(job)
        for job in others:
            sender.send_job(job)
            sent.append(job.id)
    except QueueUnavailableError as error:
        LOG.warning("%d jobs wait to be sent: %s", len(waiting) - len(sent), error)
    if sent:
        with records.transaction() as tx:
            jobs.mark_sent(tx, sent)


def submit(
    records: Records,
    sender: Sender,
    site_id: str,
    spec: Spec,
    *,
    idempotency_key: str | None = None,
    fingerprint: str | None = None,
    terms: Terms = USUAL,
) -> JobRecord:
    """Write a job and send it. When this returns, the job is safe, whatever dies next.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
        DatabaseUnavailableError: nothing was accepted.
    """
    asked = [Asked(spec, terms)]
    (job,) = submit_all(
        records, sender, site_id, asked, idempotency_key=idempotency_key, fingerprint=fingerprint
    )
    return job


def submit_all(
    records: Records,
    sender: Sender,
    site_id: str,
    asked: Sequence[Asked],
    *,
    idempotency_key: str | None = None,
    fingerprint: str | None = None,
) -> list[JobRecord]:
    """Write several jobs in one transaction, all or none, and send for them once.

    An idempotency key stands for all of them: the same request again gives the same jobs.

    Returns:
        One job a request, in their order.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
        DatabaseUnavailableError: nothing was accepted.
    """
    bodies = [one.spec.model_dump(mode="json") for one in asked]
    mark = fingerprint or fingerprint_of(bodies[0] if len(bodies) == 1 else {"all": bodies})
    promises = _promises(idempotency_key, len(asked))
    try:
        with records.transaction() as tx:
            made = [
                enqueue(
                    tx, site_id, one.spec, idempotency_key=key, fingerprint=mark, terms=one.terms
                )
                for one, key in zip(asked, promises, strict=True)
            ]
    except IntegrityError:
        # Two requests with one key at the same time: the other was first, and its jobs are ours.
        made = [_other(records, site_id, key, mark) for key in promises]
    send(records, sender, made)
    return made


def _promises(key: str | None, count: int) -> list[str | None]:
    """Return a key a job. No caller can send one with a space, so ours are nobody else's."""
    if key is None:
        return [None] * count
    return [key, *(f"{key} {place}" for place in range(1, count))]


def _joined(
    tx: Transaction, site_id: str, body: Mapping[str, Any], terms: Terms
) -> JobRecord | None:
    """Return the job that makes or made just this, or None where one must be made."""
    if not terms.repeatable or terms.fresh:
        return None
    digest = fingerprint_of(body)
    jobs.lock_digest(tx, site_id, digest)
    return jobs.with_digest(tx, site_id, digest)


def _other(
    records: Records, site_id: str, idempotency_key: str | None, fingerprint: str
) -> JobRecord:
    with records.reading() as tx:
        found = (
            None
            if idempotency_key is None
            else find_promised(tx, site_id, idempotency_key, fingerprint)
        )
    if found is None:
        raise ConflictError("The job could not be written beside what is there. Send it again.")
    return found


def fingerprint_of(body: Mapping[str, Any]) -> str:
    """Return a hash of a JSON body that does not depend on the order of its fields."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _new_job(
    tx: Transaction,
    site_id: str,
    spec: Spec,
    body: Mapping[str, Any],
    terms: Terms,
    period: str | None,
) -> JobRecord:
    design = spec if isinstance(spec, DesignSpec) else None
    until = None if terms.expires_in is None else tx.now + timedelta(seconds=terms.expires_in)
    return JobRecord(
        id=ids.new_id(ids.JOB),
        site_id=site_id,
        kind=JobKind(spec.kind),
        state=JobState.QUEUED,
        reason=None,
        error=None,
        spec=dict(body),
        result=None,
        release_id=None if design is None else design.release_id,
        period=period,
        units=1 if design is None else design.images,
        priority=terms.priority.rank,
        expires_at=until,
        digest=fingerprint_of(body) if terms.repeatable else None,
        shopper_id=terms.shopper_id,
        attempts=0,
        fence=0,
        owner=None,
        lease_expires_at=None,
        not_before=None,
        sent_at=None,
        cancel_requested_at=None,
        created_at=tx.now,
        started_at=None,
        finished_at=None,
    )
