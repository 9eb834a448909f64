"""What can go wrong between a client and the server."""

from typing import Any

import httpx
from pydantic import ValidationError

from shared.errors import ToileError
from shared.schemas.problems import Problem


class UnreachableError(ToileError):
    """Nothing answers at the server's address."""

    reason = "unreachable"
    retryable = True


class ApiError(ToileError):
    """The server refused, and said why.

    Attributes:
        status: the HTTP status.
        reason: the stable word for the kind of problem, such as ``not_found``.
        message: what happened, and how to mend it.
        details: data that a program may want to read.
        request_id: names the request in the server's log; None where the server did not say.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, **(details or {}))
        self.status = status
        self.reason = reason  # type: ignore[misc]  # the server's word, not this class' own
        self.request_id = request_id


def error_of(response: httpx.Response) -> ApiError:
    """Return the error that an answer with a status of 400 or more stands for."""
    try:
        problem = Problem.model_validate_json(response.content, extra="ignore")
    except ValidationError:  # a proxy in between, or no Toile at all
        return ApiError(
            response.status_code,
            "not_toile",
            f"{response.request.url} answered {response.status_code} {response.reason_phrase}, and "
            "not in Toile's words. Check the address, and what stands in front of the server.",
        )
    return ApiError(
        problem.status,
        problem.reason,
        problem.detail,
        details=problem.details,
        request_id=problem.request_id,
    )
