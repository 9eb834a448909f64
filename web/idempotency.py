"""One effect and one answer for a request that makes no job, however often it is sent.

What `web.accept` does for jobs: the promise is written in the transaction of the effect. It is
written first, so that a second request with the key waits at the table until the first has ended,
and it gets its answer last, before the commit. A process that dies between the two leaves neither.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Response

from shared.errors import ConflictError
from shared.jobs.submit import check_same
from shared.records import Transaction, promises
from web import auth
from web.accept import Promise, fingerprint, key_of, replayed
from web.runtime import runtime

# Those that say something of the answer; all others are made anew for each.
_HEADERS: Final = ("Content-Type", "Location")


@dataclass(frozen=True)
class Done:
    """What a request did.

    Attributes:
        response: the answer.
        job_id: the job of which it speaks.
        shopper_id: the shopper of whom it speaks: it is forgotten when they are.
        kept: what to keep in the place of an answer that holds a secret.
    """

    response: Response
    job_id: str | None = None
    shopper_id: str | None = None
    kept: Mapping[str, Any] | None = None


def once(
    promise: Promise,
    asked: Any,
    effect: Callable[[Transaction], Done],
    *,
    again: Callable[[Mapping[str, Any]], Response] | None = None,
) -> Response:
    """Do what a request asks, in one transaction; or answer as it was answered before.

    Only what was done is kept. A refusal takes all back, so the same request may be tried again.

    Args:
        promise: the request's headers.
        asked: the body as the caller sent it, as JSON values.
        effect: does it, in the transaction that it is given and in nothing else; raises what is
            wrong with the request.
        again: makes the answer to a repeated request of what was `kept`.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
    """
    key, mark = key_of(promise), fingerprint(asked)
    if key is None:
        with runtime().records.transaction() as tx:
            return effect(tx).response
    before = _find(key, mark)
    if before is None:
        try:
            return _first(key, mark, effect)
        except promises.TakenError:
            before = _found(key, mark)
    return replayed((again or _answer)(before))


def _first(key: str, mark: str, effect: Callable[[Transaction], Done]) -> Response:
    site_id = auth.site_id()
    with runtime().records.transaction() as tx:
        promises.reserve(tx, site_id, key, fingerprint=mark)
        done = effect(tx)
        said = _said(done.response) if done.kept is None else done.kept
        promises.answer(tx, site_id, key, said, job_id=done.job_id, shopper_id=done.shopper_id)
    return done.response


def _find(key: str, mark: str) -> Mapping[str, Any] | None:
    with runtime().records.reading() as tx:
        found = promises.find(tx, auth.site_id(), [key]).get(key)
    if found is None:
        return None
    check_same(found, mark)
    if found.answer is None:
        message = f"The request with this key made the job {found.job_id}, by another version."
        raise ConflictError(message, job=found.job_id)
    return found.answer


def _found(key: str, mark: str) -> Mapping[str, Any]:
    said = _find(key, mark)
    if said is None:
        raise ConflictError("What this Idempotency-Key stood for is gone. Send it again.")
    return said


def _said(response: Response) -> dict[str, Any]:
    return {
        "status": response.status_code,
        "headers": {name: response.headers[name] for name in _HEADERS if name in response.headers},
        "body": response.get_data(as_text=True),
    }


def _answer(said: Mapping[str, Any]) -> Response:
    return Response(said["body"], status=said["status"], headers=said["headers"])
