"""Submitting: the row and the caller's promise in one transaction, the message after it."""

import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from shared import ids
from shared.errors import ConflictError, IdempotencyMismatchError, QueueUnavailableError
from shared.queue.sender import Sender
from shared.records import Records, Transaction, jobs
from shared.schemas.jobs import DesignSpec, JobKind, JobRecord, JobState, Spec

LOG: Final = logging.getLogger(__name__)


def enqueue(
    tx: Transaction,
    site_id: str,
    spec: Spec,
    *,
    idempotency_key: str | None = None,
    fingerprint: str | None = None,
    period: str | None = None,
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

    Returns:
        The new job, or the one that the idempotency key already stands for.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
    """
    body = spec.model_dump(mode="json")
    job = _new_job(tx, site_id, spec, body, period)
    if idempotency_key is None:
        jobs.insert(tx, job)
        return job
    mark = fingerprint or fingerprint_of(body)
    promised = find_promised(tx, site_id, idempotency_key, mark)
    if promised is not None:
        return promised
    jobs.insert(tx, job)
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


def send(records: Records, sender: Sender, accepted: Sequence[JobRecord]) -> None:
    """Send the messages of accepted jobs. Where Redis is away, upkeep sends them later."""
    waiting = [job for job in accepted if job.state is JobState.QUEUED and job.sent_at is None]
    sent: list[str] = []
    try:
        for job in waiting:
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
) -> JobRecord:
    """Write a job and send it. When this returns, the job is safe, whatever dies next.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
        DatabaseUnavailableError: nothing was accepted.
    """
    mark = fingerprint or fingerprint_of(spec.model_dump(mode="json"))
    try:
        with records.transaction() as tx:
            job = enqueue(tx, site_id, spec, idempotency_key=idempotency_key, fingerprint=mark)
    except IntegrityError:
        # Two requests with one key at the same time: the other was first, and its job is ours.
        job = _other(records, site_id, idempotency_key, mark)
    send(records, sender, [job])
    return job


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


def fingerprint_of(body: dict[str, Any]) -> str:
    """Return a hash of a JSON body that does not depend on the order of its fields."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _new_job(
    tx: Transaction, site_id: str, spec: Spec, body: dict[str, Any], period: str | None
) -> JobRecord:
    return JobRecord(
        id=ids.new_id(ids.JOB),
        site_id=site_id,
        kind=JobKind(spec.kind),
        state=JobState.QUEUED,
        reason=None,
        error=None,
        spec=body,
        result=None,
        release_id=spec.release_id if isinstance(spec, DesignSpec) else None,
        period=period,
        units=spec.count if isinstance(spec, DesignSpec) else 1,
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
