"""Who asks: an API key, one shopper's session, or for reading also the console's cookie."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from flask import current_app, g, request

from shared.console import read_session_token
from shared.errors import ForbiddenError, NotFoundError, UnauthorizedError
from shared.logging import note_site
from shared.schemas.keys import ApiKey, Scope
from web import cors, sessions
from web.cors import KEY_HEADER
from web.runtime import Runtime, runtime

View = TypeVar("View", bound=Callable[..., Any])

COOKIE: Final = "toile_session"
ME: Final = "me"
"""What a session may call its shopper, so that the reference stands in no address."""

_READS: Final = frozenset({"GET", "HEAD"})
_NEEDS: Final = "toile_needs"
_FOR_SHOPPERS: Final = "toile_for_shoppers"


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        site_id: the site.
        key_id: its key; of a session, the publishable one that came with it.
        scopes: what they may do.
        shopper_id: the shopper to whom a session is held; None for the site itself.
        is_publishable: whether a browser asks, by a publishable key and a session's token.
        shopper_ref: the site's reference of that shopper; never logged.
    """

    site_id: str
    key_id: str
    scopes: frozenset[Scope]
    shopper_id: str | None = None
    is_publishable: bool = False
    shopper_ref: str | None = field(default=None, repr=False)


def needs(*scopes: Scope) -> Callable[[View], View]:
    """Mark a view as open to keys with any of these scopes, whatever its method and noun."""

    def mark(view: View) -> View:
        setattr(view, _NEEDS, frozenset(scopes))
        return view

    return mark


def for_shoppers(view: View) -> View:
    """Mark a view as open to a shopper's session; it must look that all is that shopper's."""
    setattr(view, _FOR_SHOPPERS, True)
    return view


def require(reads: Scope, writes: Scope) -> None:
    """Let a request through only if it comes from a site, and its key allows it.

    Args:
        reads: the scope that GET needs, where the view does not say.
        writes: the scope that all else needs.

    Raises:
        UnauthorizedError: no key or token, or one that is unknown, revoked or over.
        ForbiddenError: the key does not allow this, or comes from where it should not be.
    """
    found = g.caller = _caller()
    note_site(found.site_id)
    view = current_app.view_functions.get(request.endpoint or "")
    if found.shopper_id is not None and not getattr(view, _FOR_SHOPPERS, False):
        raise ForbiddenError(
            "A shopper's session opens only what is that shopper's: designs, their jobs and "
            "pictures, taste, recommendations and preferences. Ask for the rest from your server, "
            "with a secret key."
        )
    usual = frozenset({reads if request.method in _READS else writes})
    _check(found, getattr(view, _NEEDS, usual))


def need(scope: Scope) -> None:
    """Refuse a caller who lacks a scope that only the thing itself shows to be needed.

    Raises:
        ForbiddenError: they do.
    """
    _check(caller(), frozenset({scope}))


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


def ref_of(asked: str) -> str:
    """Return the reference of the shopper whom an address names.

    Raises:
        NotFoundError: a session names somebody else.
    """
    own = caller().shopper_ref
    if own is None or asked == own:
        return asked
    if asked == ME:
        return own
    raise NotFoundError("There is no such shopper.")


def owns(shopper_id: str | None) -> bool:
    """Return whether the caller may see a shopper's thing: a session only that shopper's."""
    own = caller().shopper_id
    return own is None or own == shopper_id


def standing() -> Callable[[], bool]:
    """Return what tells at any later time, outside the request, whether its caller may go on."""
    here, found = runtime(), caller()
    token = request.headers.get("Authorization", "").partition(" ")[2].strip()

    def may_go_on() -> bool:
        key = here.keys.by_id(found.key_id)
        if key is None or found.shopper_id is None:
            return key is not None
        return _shopper_of(here, key, token) is not None

    return may_go_on


def session_key() -> ApiKey | None:
    """Return the key behind the console's cookie, or None where there is no session.

    The console shows what a key may read, so one that may not read opens none.
    """
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    try:
        key_id = read_session_token(runtime().settings, cookie)
    except UnauthorizedError:
        return None
    key = runtime().keys.by_id(key_id)
    return key if key is not None and Scope.READ in key.scopes else None


def _caller() -> Caller:
    header = request.headers.get("Authorization")
    named = request.headers.get(KEY_HEADER)
    if header is not None:
        scheme, _, secret = header.partition(" ")
        secret = secret.strip() if scheme.lower() == "bearer" else ""
        if named is not None or secret.startswith(sessions.BEGINS):
            return _of_session(named, secret)
        return _of_key(secret)
    if named is not None:
        return _of_session(named, "")
    key = session_key() if request.method in _READS else None
    if key is None:
        raise UnauthorizedError(
            "This request carries no API key. Send the header `Authorization: Bearer toile_...`; "
            "`toile key create` makes a key."
        )
    return _holder(key)


def _of_key(secret: str) -> Caller:
    key = runtime().keys.by_secret(secret) if secret else None
    if key is None:
        raise UnauthorizedError(
            "This API key is not known, was revoked, or is over. Send `Authorization: Bearer "
            "toile_...` with a key that `toile key list` shows."
        )
    if key.publishable:
        raise UnauthorizedError(
            f"A publishable key opens nothing by itself. Send it as `{KEY_HEADER}`, and the token "
            "of a shopper's session as `Authorization: Bearer toile_session_...`."
        )
    cors.refuse_pages()
    return _holder(key)


def _of_session(named: str | None, token: str) -> Caller:
    """Return the shopper whose browser asks: publishable key and token, both of one site."""
    here = runtime()
    page = here.keys.by_secret(named) if named else None
    if page is None or not page.publishable:
        raise UnauthorizedError(
            f"A shopper's session needs a publishable key beside its token. Send one that `toile "
            f"key list` shows, as `{KEY_HEADER}: toile_pub_...`."
        )
    cors.allow(page)
    found = _shopper_of(here, page, token)
    if found is None:
        raise UnauthorizedError(
            "This session is not known, or is over. Let your server make another one: POST "
            "/v1/shoppers/{ref}/sessions."
        )
    return found


def _shopper_of(here: Runtime, page: ApiKey, token: str) -> Caller | None:
    """Return whose session a token is, or None where it is over or was never of this site."""
    claims = here.sessions.read(token)
    maker = None if claims is None else here.keys.by_id(claims.key_id)
    shopper = None if claims is None else here.keys.shopper(claims.site_id, claims.shopper_id)
    if (
        claims is None
        or maker is None
        or shopper is None
        or not maker.site_id == page.site_id == claims.site_id
    ):
        return None
    return Caller(
        site_id=claims.site_id,
        key_id=page.id,
        scopes=frozenset(claims.scopes) & frozenset(maker.scopes),
        shopper_id=shopper.id,
        is_publishable=True,
        shopper_ref=shopper.ref,
    )


def _holder(key: ApiKey) -> Caller:
    return Caller(site_id=key.site_id, key_id=key.id, scopes=frozenset(key.scopes))


def _check(found: Caller, needed: frozenset[Scope]) -> None:
    if not needed & found.scopes:
        either = " or ".join(f"`{one}`" for one in Scope if one in needed)
        has = ", ".join(one for one in Scope if one in found.scopes) or "none"
        raise ForbiddenError(
            f"This needs a key with the scope {either}; this one has {has}. A key with the scope "
            "`admin` can make one that has it, and so can the operator: `toile key create "
            "--scopes`.",
            scopes=sorted(needed),
        )
