"""Session tokens: what a shop's server gives one shopper's browser, signed and short-lived.

Nothing is kept of them. A token says for which site and shopper it is, which key made it, what it
allows and until when; the key and the shopper are looked up with each request, so that a session
ends with either. Of the shopper it holds Toile's own id, never the site's reference.
"""

import hashlib
import time
from collections.abc import Callable
from functools import cached_property
from typing import Final

from itsdangerous import BadData, URLSafeSerializer
from pydantic import ValidationError

from shared.console import signing_key
from shared.schemas.base import Schema
from shared.schemas.keys import Scope
from shared.settings import Settings

BEGINS: Final = "toile_session_"
_PURPOSE: Final = "toile-shopper-session"
_LONGEST: Final = 2_000


class Claims(Schema):
    """What a token says."""

    site_id: str
    shopper_id: str
    key_id: str
    scopes: tuple[Scope, ...]
    expires: int
    """Seconds since 1970."""


class Sessions:
    """Signs tokens, and reads those that it signed.

    Args:
        settings: hold the secret that signs; all fronts of a server must have the same.
        now: seconds since 1970.
    """

    def __init__(self, settings: Settings, *, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._now = now

    def expiry(self, seconds: float) -> int:
        """Return when a session that begins now is over, in seconds since 1970."""
        return int(self._now() + seconds)

    def token(self, claims: Claims) -> str:
        """Return a token; the same claims give the same one."""
        said = [claims.site_id, claims.shopper_id, claims.key_id, *claims.scopes, claims.expires]
        return BEGINS + self._signer.dumps(said)

    def read(self, token: str) -> Claims | None:
        """Return what a token says, or None where it is not ours, was changed, or is over.

        The signature is compared in constant time (`hmac.compare_digest`, within itsdangerous).
        """
        if not token.startswith(BEGINS) or len(token) > _LONGEST:
            return None
        try:
            site_id, shopper_id, key_id, *scopes, expires = self._signer.loads(
                token.removeprefix(BEGINS)
            )
            claims = Claims(
                site_id=site_id,
                shopper_id=shopper_id,
                key_id=key_id,
                scopes=tuple(scopes),
                expires=expires,
            )
        except (BadData, ValidationError, TypeError, ValueError):
            return None
        return claims if self._now() < claims.expires else None

    @cached_property
    def _signer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            signing_key(self._settings),
            salt=_PURPOSE,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
