"""Answers: documents, lists, accepted jobs and pictures."""

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from flask import Response, request

from shared.errors import NotFoundError
from shared.records.rows import Page
from shared.schemas.base import Schema
from shared.schemas.jobs import Job
from shared.schemas.listing import Listing

SECURE: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Headers of every answer that sets none of these itself."""

_FOREVER: Final = "private, max-age=31536000, immutable"


def document(schema: Schema, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with one JSON document."""
    return Response(schema.model_dump_json(), status=status, mimetype="application/json")


def listing(page: Page[Any]) -> Response:
    """Answer with one page of a list."""
    return document(Listing[Any](items=tuple(page.items), next_cursor=page.next_cursor))


def created(schema: Schema, url: str) -> Response:
    """Answer that something was made, and where it is."""
    response = document(schema, HTTPStatus.CREATED)
    response.headers["Location"] = url
    return response


def accepted(job: Job) -> Response:
    """Answer that a job was taken, and where to ask for it."""
    response = document(job, HTTPStatus.ACCEPTED)
    response.headers["Location"] = job.url
    return response


def unchanging(
    read: Callable[[], bytes], *, sha256: str, media_type: str, weak: bool = False
) -> Response:
    """Answer with bytes that never change under this address.

    Args:
        read: gives the bytes; not called when the caller holds them already.
        sha256: what makes the bytes these bytes, in hex; becomes the ETag.
        media_type: what the bytes are.
        weak: whether other bytes may come another time that are worth the same.
    """
    return _kept(read, etag=sha256, media_type=media_type, caching=_FOREVER, weak=weak)


def told_now(schema: Schema) -> Response:
    """Answer with a document that holds for this moment; the caller may keep it to compare."""
    return changing(schema.model_dump_json().encode(), media_type="application/json")


def changing(data: bytes, *, media_type: str) -> Response:
    """Answer with bytes that the caller must ask for again each time."""
    digest = hashlib.sha256(data).hexdigest()
    return _kept(lambda: data, etag=digest, media_type=media_type, caching="private, no-cache")


def known(data: bytes, *, media_type: str) -> Response:
    """Answer with bytes that never change, where only reading them tells their hash."""
    digest = hashlib.sha256(data).hexdigest()
    return unchanging(lambda: data, sha256=digest, media_type=media_type)


def from_store(read: Callable[[], bytes], what: str) -> bytes:
    """Return an artifact's bytes.

    Raises:
        NotFoundError: the row is there, the bytes are not.
    """
    try:
        return read()
    except FileNotFoundError:
        raise NotFoundError(f"The bytes of {what} are not in the artifact store.") from None


def _kept(
    read: Callable[[], bytes], *, etag: str, media_type: str, caching: str, weak: bool = False
) -> Response:
    if request.if_none_match.contains_weak(etag):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
        del response.headers["Content-Type"]
    else:
        response = Response(read(), mimetype=media_type)
    response.set_etag(etag, weak=weak)
    response.headers["Cache-Control"] = caching
    return response
