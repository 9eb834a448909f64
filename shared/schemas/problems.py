"""Problem documents: what an error looks like over HTTP (RFC 9457)."""

from typing import Any, Final

from pydantic import Field

from shared.schemas.base import Schema

MEDIA_TYPE: Final = "application/problem+json"


class Fault(Schema):
    """One place in a request that does not fit, and why."""

    location: tuple[str | int, ...] = Field(
        description="The way to the place: fields by name, items of a list by number.",
        examples=[["condition", "colour"]],
    )
    message: str


class Problem(Schema):
    """An error as callers see it."""

    type: str = Field(
        description="Stable address of the kind of problem, relative to the server; a page there "
        "explains it.",
        examples=["/problems/not_found"],
    )
    title: str = Field(description="The kind of problem in a few words; the same every time.")
    status: int = Field(description="The answer's HTTP status.", examples=[404])
    detail: str = Field(description="What happened this time, and how to mend it.")
    instance: str = Field(description="The path that was asked.")
    reason: str = Field(description="The last word of `type`.", examples=["not_found"])
    retryable: bool = Field(description="Whether the same request can succeed later, unchanged.")
    request_id: str = Field(description="The same as in X-Request-Id and in the server's log.")
    errors: tuple[Fault, ...] = Field((), description="Each place that does not fit, where known.")
    details: dict[str, Any] = Field(
        default_factory=dict, description="What a program may want to read of the problem."
    )
