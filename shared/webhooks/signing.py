"""Secrets of webhooks and what they sign, by the Standard Webhooks specification.

Nothing secret is kept in the database: a secret is derived, by HKDF (RFC 5869) with SHA-256, from
the server's own key (TOILE_SECRET_KEY) and a random salt of the webhook. A rotation is a new salt.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from standardwebhooks import Webhook as Signer

from shared.console import signing_key
from shared.errors import ToileError
from shared.records.webhooks import Salts
from shared.settings import Settings

_PURPOSE: Final = b"toile webhook secret 1"
_MARK_PURPOSE: Final = b"toile webhook key mark 1"
_PREFIX: Final = "whsec_"
_SALT_BYTES: Final = 32


class ForeignSecretError(ToileError):
    """A webhook's secret was made with another server's key, and cannot be made here."""

    reason = "internal"


def new_salts(settings: Settings) -> Salts:
    """Return what a new secret is made from."""
    return Salts(salt=secrets.token_hex(_SALT_BYTES), key_mark=_mark(signing_key(settings)))


def secret_of(settings: Settings, salts: Salts) -> str:
    """Return a webhook's secret, `whsec_` and 32 bytes in base64.

    Raises:
        ForeignSecretError: it was made with another key than this process has.
    """
    key = signing_key(settings)
    if not hmac.compare_digest(salts.key_mark, _mark(key)):
        raise ForeignSecretError(
            "This webhook's secret was made with another TOILE_SECRET_KEY than this process has. "
            "Set the same one on each host; if it was changed on purpose, rotate the webhook's "
            "secret with POST /v1/webhooks/{webhook}/rotate."
        )
    derived = _hkdf(key.encode(), salt=bytes.fromhex(salts.salt), purpose=_PURPOSE)
    return _PREFIX + base64.b64encode(derived).decode()


def headers_of(
    whsecs: Sequence[str], *, event_id: str, at: datetime, payload: str
) -> dict[str, str]:
    """Return the three headers of one try.

    Args:
        whsecs: the secrets that sign, the newest first; each gives one signature.
        event_id: the same on each try.
        at: the time of this try, aware.
        payload: the body's text.
    """
    signed = [Signer(one).sign(event_id, at, payload) for one in whsecs]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def _mark(key: str) -> str:
    """Return what tells keys apart without telling anything of them."""
    return _hkdf(key.encode(), salt=b"", purpose=_MARK_PURPOSE)[:8].hex()


def _hkdf(key: bytes, *, salt: bytes, purpose: bytes) -> bytes:
    """Return 32 bytes: one round of HKDF's expansion is just one SHA-256."""
    drawn = hmac.new(salt or bytes(hashlib.sha256().digest_size), key, hashlib.sha256).digest()
    return hmac.new(drawn, purpose + b"\x01", hashlib.sha256).digest()
