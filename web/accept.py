"""Accepting work: one request becomes one job, however often it is sent."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from flask import Response, request
from pydantic import ConfigDict, Field

from shared.errors import NotFoundError
from shared.jobs.submit import (
    Asked,
    Promised,
    find_promised,
    fingerprint_of,
    send,
    submit_all,
)
from shared.jobs.view import view
from shared.schemas.base import Schema
from shared.schemas.jobs import JobBatch, JobRecord, Spec
from web import answers, auth
from web.runtime import runtime

REPLAYED: Final = "Idempotency-Replayed"


class Promise(Schema):
    """The headers of a request that changes something; all others are none of its business."""

    model_config = ConfigDict(extra="ignore")

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text that is yours alone, such as a UUID. For 24 hours the same request "
        "with the same key has one effect and one answer; another request with it is refused.",
    )


def accept(promise: Promise, asked: Any, resolve: Callable[[], Spec | Asked]) -> Response:
    """Make a job of a request, or find the one that it made before, and answer 202.

    Args:
        promise: the request's headers.
        asked: the body as the caller sent it, as JSON values.
        resolve: makes the spec, or the spec and its terms; raises what is wrong with the request.
    """
    here, mark, key = runtime(), fingerprint(asked), key_of(promise)
    before = _promised(key, mark, count=1)
    if before is not None:
        return _again(before[0])
    wanted = resolve()
    one = wanted if isinstance(wanted, Asked) else Asked(wanted)
    (job,) = submit_all(
        here.records,
        here.sender,
        auth.site_id(),
        [one],
        idempotency_key=key,
        fingerprint=mark,
        admit=here.limits.admit(auth.site_id()),
    )
    return answers.accepted(view(job, here.board))


def accept_all(
    promise: Promise, asked: Any, resolve: Callable[[], Sequence[Asked]], *, count: int
) -> Response:
    """Make jobs of one request, all or none, and answer 202 with them in their order.

    Args:
        promise: the request's headers; the key stands for all of the jobs.
        asked: the body as the caller sent it, as JSON values.
        resolve: makes the specs; raises what is wrong with any of them.
        count: how many it makes.
    """
    here, mark, key = runtime(), fingerprint(asked), key_of(promise)
    before = _promised(key, mark, count=count)
    if before is not None:
        send(here.records, here.sender, [one.job for one in before])
        return replayed(_batch([one.as_accepted() for one in before]))
    made = submit_all(
        here.records,
        here.sender,
        auth.site_id(),
        resolve(),
        idempotency_key=key,
        fingerprint=mark,
        admit=here.limits.admit(auth.site_id()),
    )
    return _batch(made)


def again(key: str, mark: str) -> Response:
    """Answer a request that made a job before as it was answered then.

    Raises:
        NotFoundError: it made none.
    """
    before = _promised(key, mark, count=1)
    if before is None:
        raise NotFoundError("The job of this Idempotency-Key is gone. Send it with a new key.")
    return _again(before[0])


def fingerprint(asked: Any) -> str:
    """Return a hash of what was asked, and where."""
    return fingerprint_of({"path": request.path, "body": asked})


def key_of(promise: Promise) -> str | None:
    """Return what a request's idempotency key is kept as.

    A browser's keys are its shopper's own: what one shopper could guess of another's would answer
    with the other's designs. The two spaces keep them apart from all that callers can send, and
    from the keys of a batch.
    """
    key, shopper_id = promise.idempotency_key, auth.caller().shopper_id
    return key if key is None or shopper_id is None else f"{shopper_id}  {key}"


def replayed(response: Response) -> Response:
    """Mark an answer as one that was given before."""
    response.headers[REPLAYED] = "true"
    return response


def _again(before: Promised) -> Response:
    here = runtime()
    send(here.records, here.sender, [before.job])
    return replayed(answers.accepted(view(before.as_accepted(), here.board)))


def _promised(key: str | None, mark: str, *, count: int) -> list[Promised] | None:
    """Return the jobs that this request made before, or None.

    Raises:
        IdempotencyMismatchError: its key came with another request.
    """
    if key is None:
        return None
    with runtime().records.reading() as tx:
        return find_promised(tx, auth.site_id(), key, mark, count=count)


def _batch(made: Sequence[JobRecord]) -> Response:
    batch = JobBatch(jobs=tuple(view(job, runtime().board) for job in made))
    return answers.document(batch, HTTPStatus.ACCEPTED)
