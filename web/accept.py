"""Accepting work: one request becomes one job, however often it is sent."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response, request
from pydantic import ConfigDict, Field

from shared.jobs.submit import (
    Asked,
    find_all_promised,
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


class Promise(Schema):
    """The headers of a request that makes a job; all others are none of its business."""

    model_config = ConfigDict(extra="ignore")

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text that is yours alone, such as a UUID. The same request with the same "
        "key makes one job, and answers with it each time.",
    )


def accept(promise: Promise, asked: Any, resolve: Callable[[], Spec | Asked]) -> Response:
    """Make a job of a request, or find the one that it made before, and answer 202.

    Args:
        promise: the request's headers.
        asked: the body as the caller sent it, as JSON values.
        resolve: makes the spec, or the spec and its terms; raises what is wrong with the request.
    """
    here = runtime()
    mark = fingerprint(asked)
    job = promised(promise, mark)
    if job is None:
        wanted = resolve()
        one = wanted if isinstance(wanted, Asked) else Asked(wanted)
        (job,) = submit_all(
            here.records,
            here.sender,
            auth.site_id(),
            [one],
            idempotency_key=promise.idempotency_key,
            fingerprint=mark,
            admit=here.limits.admit(auth.site_id()),
        )
    else:
        send(here.records, here.sender, [job])
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
    here, mark, key = runtime(), fingerprint(asked), promise.idempotency_key
    made = None
    if key is not None:
        with here.records.reading() as tx:
            made = find_all_promised(tx, auth.site_id(), key, mark, count=count)
    if made is None:
        made = submit_all(
            here.records,
            here.sender,
            auth.site_id(),
            resolve(),
            idempotency_key=key,
            fingerprint=mark,
            admit=here.limits.admit(auth.site_id()),
        )
    else:
        send(here.records, here.sender, made)
    batch = JobBatch(jobs=tuple(view(job, here.board) for job in made))
    return answers.document(batch, HTTPStatus.ACCEPTED)


def fingerprint(asked: Any) -> str:
    """Return a hash of what was asked, and where."""
    return fingerprint_of({"path": request.path, "body": asked})


def promised(promise: Promise, mark: str) -> JobRecord | None:
    """Return the job that this request made before, or None.

    Raises:
        IdempotencyMismatchError: its key came with another request.
    """
    if promise.idempotency_key is None:
        return None
    with runtime().records.reading() as tx:
        return find_promised(tx, auth.site_id(), promise.idempotency_key, mark)
