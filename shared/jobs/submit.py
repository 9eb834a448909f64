"""Submitting: the row and the caller's promise in one transaction, the message after it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from logging import getLogger
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from shared import ids, logging, tracing
from shared.errors import ConflictError, IdempotencyMismatchError, QueueUnavailableError
from shared.queue.sender import Sender
from shared.records import Records, Transaction, jobs, promises, shoppers
from shared.schemas.designs import Priority
from shared.schemas.jobs import DesignSpec, JobKind, JobRecord, JobState, Spec

LOG: Final = getLogger(__name__)


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
_AS_ACCEPTED: Final[Mapping[str, Any]] = {
    "state": JobState.QUEUED, "reason": None, "error": None, "result": None, "attempts": 0,
    "cancel_requested_at": None, "started_at": None, "finished_at": None,
}  # fmt: skip

Admit = Callable[[Transaction, str, Sequence[JobRecord]], None]
"""Raises where a site may not add these jobs; called in the transaction that writes them."""


@dataclass(frozen=True)
class Asked:
    """A job to submit: what is asked, and on what terms."""

    spec: Spec
    terms: Terms = USUAL


@dataclass(frozen=True)
class Promised:
    """A job that an idempotency key stands for, and since when it does."""

    job: JobRecord
    at: datetime

    def as_accepted(self) -> JobRecord:
        """Return the job as the first answer told it: the same request gets the same words.

        A new job was queued then, of which all else follows. One that an equal request had made
        before is told as it is now.
        """
        if self.job.created_at < self.at:
            return self.job
        return self.job.model_copy(update=dict(_AS_ACCEPTED))


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
    asked, keys = Asked(spec, terms), [idempotency_key]
    (job,) = _enqueue_all(tx, site_id, [asked], keys, fingerprint=fingerprint, period=period)
    return job


def _enqueue_all(
    tx: Transaction,
    site_id: str,
    asked: Sequence[Asked],
    keys: Sequence[str | None],
    *,
    fingerprint: str | None,
    period: str | None = None,
    admit: Admit | None = None,
) -> list[JobRecord]:
    """Write the rows of several jobs in as few statements as of one."""
    for shopper_id in sorted({one.terms.shopper_id for one in asked if one.terms.shopper_id}):
        shoppers.hold(tx, shopper_id)  # or a job could be left of one who is being erased
    bodies = [one.spec.model_dump(mode="json") for one in asked]
    named = [key for key in keys if key is not None]
    mark = fingerprint or (_mark_of(bodies) if named else "")
    before = _all_promised(tx, site_id, named, mark)
    added: list[JobRecord] = []
    twins: dict[str, JobRecord] = {}
    made = []
    for one, body, key in zip(asked, bodies, keys, strict=True):
        job = before.get(key) if key is not None else None
        if job is None:
            job = _joined(tx, site_id, body, one.terms, twins)
        if job is None:
            job = _new_job(tx, site_id, one.spec, body, one.terms, period)
            added.append(job)
            twins |= {} if job.digest is None else {job.digest: job}
        made.append(job)
    if added and admit is not None:
        admit(tx, site_id, added)
    jobs.insert(tx, added)
    new = {key: job.id for key, job in zip(keys, made, strict=True) if key and key not in before}
    promises.keep(tx, site_id, new, fingerprint=mark)
    return made


def find_promised(
    tx: Transaction, site_id: str, idempotency_key: str, fingerprint: str, *, count: int = 1
) -> list[Promised] | None:
    """Return the jobs that a key stands for, in the order of their request, or None if it is new.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
    """
    keys = [key for key in _promises(idempotency_key, count) if key is not None]
    found = _found(tx, site_id, keys, fingerprint)
    if len(found) != count:
        return None
    return [Promised(jobs.get(tx, job_id), at) for job_id, at in (found[key] for key in keys)]


def _all_promised(
    tx: Transaction, site_id: str, keys: Sequence[str], fingerprint: str
) -> dict[str, JobRecord]:
    """Return the jobs that keys stand for; those that are new are left out.

    Raises:
        IdempotencyMismatchError: one came with another request before.
    """
    found = _found(tx, site_id, keys, fingerprint) if keys else {}
    return {key: jobs.get(tx, job_id) for key, (job_id, _) in found.items()}


def _found(
    tx: Transaction, site_id: str, keys: Sequence[str], fingerprint: str
) -> dict[str, tuple[str, datetime]]:
    found = {}
    for key, promise in promises.find(tx, site_id, keys).items():
        check_same(promise, fingerprint)
        if promise.job_id is not None:
            found[key] = (promise.job_id, promise.at)
    return found


def check_same(promise: promises.Promise, fingerprint: str) -> None:
    """Refuse a key that stands for another request.

    Raises:
        IdempotencyMismatchError: it came with another one before.
    """
    if promise.fingerprint != fingerprint:
        raise IdempotencyMismatchError(
            "This Idempotency-Key was used for another request. Use a new key for a new "
            "request, or send the first request again unchanged.",
            job=promise.job_id,
        )


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
    admit: Admit | None = None,
) -> JobRecord:
    """Write a job and send it. When this returns, the job is safe, whatever dies next.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
        QuotaExceededError, StorageFullError: `admit` said no, and nothing was accepted.
        DatabaseUnavailableError: nothing was accepted.
    """
    asked = [Asked(spec)]
    (job,) = submit_all(
        records,
        sender,
        site_id,
        asked,
        idempotency_key=idempotency_key,
        fingerprint=fingerprint,
        admit=admit,
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
    admit: Admit | None = None,
) -> list[JobRecord]:
    """Write several jobs in one transaction, all or none, and send for them once.

    An idempotency key stands for all of them: the same request again gives the same jobs.

    Returns:
        One job a request, in their order.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
        QuotaExceededError, StorageFullError: `admit` said no, and nothing was accepted.
        DatabaseUnavailableError: nothing was accepted.
    """
    keys = _promises(idempotency_key, len(asked))
    with tracing.span("submit", told={"toile.jobs": len(asked), "toile.site": site_id}):
        try:
            with records.transaction() as tx:
                made = _enqueue_all(tx, site_id, asked, keys, fingerprint=fingerprint, admit=admit)
        except IntegrityError:
            # Two requests with one key at the same time: the other was first; its jobs are ours.
            mark = fingerprint or _mark_of([one.spec.model_dump(mode="json") for one in asked])
            made = [_other(records, site_id, key, mark) for key in keys]
        send(records, sender, made)
    return made


def _promises(key: str | None, count: int) -> list[str | None]:
    """Return a key a job. No caller can send one with a space, so ours are nobody else's."""
    if key is None:
        return [None] * count
    return [key, *(f"{key} {place}" for place in range(1, count))]


def _mark_of(bodies: Sequence[Mapping[str, Any]]) -> str:
    return fingerprint_of(bodies[0] if len(bodies) == 1 else {"all": list(bodies)})


def _joined(
    tx: Transaction,
    site_id: str,
    body: Mapping[str, Any],
    terms: Terms,
    twins: Mapping[str, JobRecord],
) -> JobRecord | None:
    """Return the job that makes or made just this, or None where one must be made.

    Args:
        tx: the open transaction.
        site_id: whose job it is.
        body: what is asked.
        terms: whether an equal one will do.
        twins: new jobs of the same request by their digests; their rows are not written yet.
    """
    if not terms.repeatable or terms.fresh:
        return None
    digest = fingerprint_of(body)
    if digest in twins:
        return twins[digest]
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
    return found[0].job


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
        request_id=logging.context().request or None,
        traceparent=tracing.current(),
    )
