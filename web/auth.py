"""Who asks: an API key, or for reading also the console's session."""

from dataclasses import dataclass
from typing import Final

from flask import g, request

from shared.console import read_session_token
from shared.errors import UnauthorizedError
from shared.logging import note_site
from shared.schemas.sites import ApiKey
from web.runtime import runtime

COOKIE: Final = "toile_session"
_READS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Caller:
    """The site that asks, and with which key."""

    site_id: str
    key_id: str


def require() -> None:
    """Let a request through only if it comes from a site.

    Raises:
        UnauthorizedError: no key, or one that is unknown or revoked.
    """
    key = _key_of_header()
    if key is None and request.method in _READS:
        key = session_key()
    if key is None:
        raise UnauthorizedError(
            "This request carries no API key. Send the header `Authorization: Bearer toile_...`; "
            "`toile key create` makes a key."
        )
    g.caller = Caller(site_id=key.site_id, key_id=key.id)
    note_site(key.site_id)


def caller() -> Caller:
    """Return who asks; only behind `require`."""
    found = g.caller
    if not isinstance(found, Caller):
        message = "this view is not behind web.auth.require"
        raise TypeError(message)
    return found


def site_id() -> str:
    """Return the site that asks."""
    return caller().site_id


def session_key() -> ApiKey | None:
    """Return the key behind the console's cookie, or None where there is no session."""
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    try:
        key_id = read_session_token(runtime().settings, cookie)
    except UnauthorizedError:
        return None
    return runtime().keys.by_id(key_id)


def _key_of_header() -> ApiKey | None:
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, secret = header.partition(" ")
    key = runtime().keys.by_secret(secret.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise UnauthorizedError(
            "This API key is not known, or was revoked. Send `Authorization: Bearer toile_...` "
            "with a key that `toile key list` shows."
        )
    return key
