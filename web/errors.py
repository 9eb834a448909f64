"""The one map from errors to problem documents (RFC 9457)."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Flask, Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from shared.errors import InvalidInputError, NotFoundError, ToileError, TooLargeError
from shared.schemas.problems import MEDIA_TYPE, Fault, Problem
from web.observing import REQUEST_ID
from web.problems import KINDS

LOG: Final = logging.getLogger(__name__)

RETRY_AFTER_SECONDS: Final = 5

_HTTP_REASONS: Final = {
    404: NotFoundError.reason,
    405: "method_not_allowed",
    413: TooLargeError.reason,
    415: "unsupported_media_type",
}


def register(app: Flask) -> None:
    """Let the app answer every error with a problem document."""
    app.register_error_handler(ToileError, respond)
    app.register_error_handler(HTTPException, _from_http)
    app.register_error_handler(Exception, _from_surprise)


def request_id() -> str:
    """Return this request's id: letters and digits, fit for headers and logs."""
    return str(request.environ.setdefault(REQUEST_ID, secrets.token_hex(8)))


def refusal(error: ValidationError, *, place: Sequence[str | int] = ()) -> InvalidInputError:
    """Return what to tell a caller of a body, query or header that fits no schema.

    Args:
        error: what pydantic found.
        place: where in the request the value stands.
    """
    found = error.errors(include_url=False, include_input=False, include_context=False)
    faults = [Fault(location=(*place, *one["loc"]), message=one["msg"]) for one in found]
    told = "; ".join(
        f"{'.'.join(map(str, one.location)) or 'body'}: {one.message}" for one in faults
    )
    return InvalidInputError(f"The request does not fit. {told}.", errors=faults)


def respond_invalid(error: ValidationError) -> Response:
    """Answer a request that fits no schema."""
    return respond(refusal(error))


def respond(error: ToileError) -> Response:
    """Answer one of our own errors."""
    details = dict(error.details)
    faults = details.pop("errors", ())
    reason = error.reason if error.reason in KINDS else "internal"
    if reason == "internal":
        LOG.error("%s %s", request_id(), error.message, exc_info=error)
    elif KINDS[reason].status >= 500:  # noqa: PLR2004 - the server's own faults
        LOG.warning("%s %s", request_id(), error.message)
    detail = _OURS if reason == "internal" else error.message
    return _answer(reason, detail, faults=faults, details=details, retryable=error.retryable)


_OURS: Final = "Something broke in Toile. Nothing of the request was kept. The log tells more."


def _from_http(error: HTTPException) -> Response:
    status = error.code or 500
    reason = _HTTP_REASONS.get(status, "bad_request" if status < 500 else "internal")  # noqa: PLR2004
    response = _answer(reason, _http_detail(status, error), status=status)
    allowed = error.get_response().headers.get("Allow")
    if allowed:
        response.headers["Allow"] = allowed
    return response


def _http_detail(status: int, error: HTTPException) -> str:
    if status == 404:  # noqa: PLR2004 - the status of the protocol
        return f"There is nothing at {request.path}. /docs lists what there is."
    if status == 405:  # noqa: PLR2004 - the status of the protocol
        return f"{request.path} does not take {request.method}."
    return str(error.description or error.name)


def _from_surprise(error: Exception) -> Response:
    LOG.error("%s %s broke", request_id(), request.method, exc_info=error)
    return _answer("internal", _OURS)


def _answer(
    reason: str,
    detail: str,
    *,
    status: int | None = None,
    faults: Sequence[Fault] = (),
    details: Mapping[str, Any] | None = None,
    retryable: bool = False,
) -> Response:
    kind = KINDS[reason]
    problem = Problem(
        type=f"/problems/{reason}",
        title=kind.title,
        status=status or kind.status,
        detail=detail,
        instance=request.path,
        reason=reason,
        retryable=retryable,
        request_id=request_id(),
        errors=tuple(faults),
        details=dict(details or {}),
    )
    response = Response(
        problem.model_dump_json(fallback=str), status=problem.status, mimetype=MEDIA_TYPE
    )
    if problem.status in {429, 503, 507}:
        wait = problem.details.get("retry_after", RETRY_AFTER_SECONDS)
        response.headers["Retry-After"] = str(wait)
    if problem.status == 401:  # noqa: PLR2004 - the status of the protocol
        response.headers["WWW-Authenticate"] = 'Bearer realm="toile"'
    return response
