"""Pages of other origins: which may ask, and what browsers are told of it (CORS).

A preflight carries neither key nor token, so it is answered for each origin that any publishable
key allows; the request that follows is held against its own key's list. Cookies are never
allowed from another origin: no answer has `Access-Control-Allow-Credentials`.
"""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from flask import Response, g, request

from shared.errors import ForbiddenError
from shared.schemas.keys import ApiKey
from web.runtime import runtime

KEY_HEADER: Final = "X-Toile-Key"
VARY: Final = "Origin"

_PREFIX: Final = "/v1/"
_METHODS: Final = "GET, HEAD, POST"
_SENT: Final = (
    f"Authorization, {KEY_HEADER}, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"
)
_READABLE: Final = (
    "ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, "
    "X-Request-Id"
)
_PREFLIGHT_SECONDS: Final = 600


def preflight() -> Response | None:
    """Answer a browser that asks whether a page may send a request; None for all else.

    Raises:
        ForbiddenError: no publishable key allows the page's origin.
    """
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    origin = request.headers.get("Origin")
    if not asks or origin is None or not request.path.startswith(_PREFIX):
        return None
    if origin not in runtime().keys.origins():
        raise ForbiddenError(_foreign(origin))
    g.origin = origin
    answer = Response(status=HTTPStatus.NO_CONTENT)
    answer.headers["Access-Control-Allow-Methods"] = _METHODS
    answer.headers["Access-Control-Allow-Headers"] = _SENT
    answer.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
    return answer


def add_headers(response: Response) -> None:
    """Tell the browser, with an answer of the API, whether the page may read it."""
    if not request.path.startswith(_PREFIX):
        return
    response.vary.add(VARY)
    origin = g.get("origin")
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _READABLE


def allow(key: ApiKey) -> None:
    """Let a page in that a publishable key names; programs send no origin, and may pass.

    Raises:
        ForbiddenError: the request comes from another page.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return
    if origin not in key.origins:
        raise ForbiddenError(_foreign(origin))
    g.origin = origin


def refuse_pages() -> None:
    """Refuse a secret key that comes from another site's page.

    Raises:
        ForbiddenError: the request names an origin that is not this server's own.
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise ForbiddenError(
            "This request carries a secret key and comes from a page in a browser, where everybody "
            "can read the key. Revoke it (`toile key revoke`), keep secret keys on your server, "
            "and give pages a publishable key and the token of a shopper's session: POST "
            "/v1/shoppers/{ref}/sessions."
        )


def _foreign(origin: str) -> str:
    return (
        f"No publishable key that this request names allows the origin {origin[:100]!r}. A key is "
        "made for its origins: `toile key create --publishable --origin https://shop.example`."
    )
