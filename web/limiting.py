"""Limits at the door: what is counted before a request is answered, and what its caller is told."""

import math
from typing import Final

from flask import Response, g, request

from shared.errors import RateLimitedError
from web import auth
from web.guesses import address_of
from web.limits import Counted
from web.runtime import runtime

POLL: Final = "jobs.get_job"
_LOGIN: Final = "console.log_in"
_UNAUTHORIZED: Final = 401
_SIGNED: Final = "toile_session_"
"""Tokens are signed and soon over: one that is stale is no guess."""


def guard() -> None:
    """Refuse, before its key is looked at, a request from an address that guesses keys.

    Raises:
        RateLimitedError: too many wrong ones came from there.
    """
    offered = _offered()
    if offered:
        runtime().guesses.refuse(_address(), offered)


def count() -> None:
    """Count a request of a site; only behind `auth.require`.

    Raises:
        RateLimitedError: the site sends more than it may.
    """
    here, site_id = runtime(), auth.site_id()
    offered = _offered()
    if offered:
        here.guesses.was_good(offered)
    if g.get("link") is not None:
        counted = here.limits.link(site_id)
    elif request.endpoint == POLL:
        counted = here.limits.poll(site_id)
    else:
        counted = here.limits.request(site_id)
    g.counted = counted
    if counted is not None and counted.is_refused:
        raise refusal(counted)


def refusal(counted: Counted) -> RateLimitedError:
    """Return what to tell a caller who has sent too much."""
    policy, standing = counted.policy, counted.standing
    return RateLimitedError(
        f"This site sends more than {policy.rate:g} {policy.name} a second, of which "
        f"{policy.burst:g} may come at once. Wait as long as Retry-After says.",
        policy=policy.name,
        rate=policy.rate,
        limit=int(policy.burst),
        window=policy.window,
        retry_after=max(1, math.ceil(standing.wait)),
    )


def tell(response: Response) -> Response:
    """Tell the caller how its site stands, and count a key that was wrong."""
    counted = g.get("counted")
    if isinstance(counted, Counted):
        response.headers.extend(counted.headers)
    if response.status_code == _UNAUTHORIZED and _offered():
        runtime().guesses.was_wrong(_address())
    return response


def _offered() -> str | None:
    """Return the secret that the request brings, or None where it brings none."""
    header = request.headers.get("Authorization")
    if header:
        secret = header.partition(" ")[2].strip() or header
        return None if secret.startswith(_SIGNED) else secret
    if request.endpoint == _LOGIN:
        return request.form.get("key", "").strip() or None
    return None


def _address() -> str:
    return address_of(request.environ, proxies=runtime().settings.proxies)
