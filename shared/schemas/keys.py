"""Keys and sessions: what lets a site's programs in, and the pages of its shop."""

import datetime as dt
import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from shared.schemas.base import Schema

MOST_ORIGINS: Final = 20
LONGEST_LIFE: Final = 10 * 366 * 86_400.0
USUAL_OVERLAP: Final = 86_400.0
LONGEST_OVERLAP: Final = 30 * 86_400.0
USUAL_SESSION: Final = 30 * 60.0
LONGEST_SESSION: Final = 86_400.0

_SECURE: Final = re.compile(r"https://([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::([0-9]{1,5}))?")
_LOCAL: Final = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?")
_USUAL_PORTS: Final = {"https": "443", "http": "80"}
_MOST_PORT: Final = 65_535


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    DESIGN = "design"
    TRAIN = "train"
    ADMIN = "admin"


ALL_SCOPES: Final = tuple(Scope)


def in_order(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """Return scopes in the order of their definition, each once."""
    return tuple(one for one in Scope if one in scopes)


def is_origin(text: str) -> bool:
    """Return whether a text is an origin that may be allowed, as a browser writes it.

    https and a name in lower case, or http on the machine itself; no path, no wildcard, and a port
    only where it is not the usual one (RFC 6454, section 6.2).
    """
    found = _SECURE.fullmatch(text) or _LOCAL.fullmatch(text)
    if found is None:
        return False
    port, usual = found[2], _USUAL_PORTS[text.partition(":")[0]]
    return port is None or (port == str(int(port)) != usual and 0 < int(port) <= _MOST_PORT)


def _checked(text: str) -> str:
    if not is_origin(text):
        message = (
            "expected an origin as browsers send it: `https://shop.example`, or "
            "`http://localhost:3000` on your own machine; lower case, no path, no `*`, and no port "
            "where it is the usual one"
        )
        raise ValueError(message)
    return text


def _printable(text: str) -> str:
    """Refuse what would speak to the terminal on which keys are listed."""
    if not text.isprintable():
        message = "expected printable characters"
        raise ValueError(message)
    return text


Origin = Annotated[
    str,
    Field(
        max_length=300,
        description="An origin as browsers send it, such as `https://shop.example`.",
        examples=["https://shop.example"],
    ),
    AfterValidator(_checked),
]
Scopes = Annotated[tuple[Scope, ...], AfterValidator(in_order)]


class ApiKey(Schema):
    """A key as it is listed: never the secret, only its visible beginning."""

    id: str
    site_id: str
    prefix: str = Field(description="How its secret begins.")
    name: str
    scopes: tuple[Scope, ...] = Field(
        description="What it may do; a publishable key has none: it opens nothing by itself."
    )
    publishable: bool = Field(
        False, description="Whether it is for browsers, beside the token of one shopper's session."
    )
    origins: tuple[str, ...] = Field(
        (), description="Of a publishable key, the pages from which it is taken."
    )
    created_at: dt.datetime
    expires_at: dt.datetime | None = Field(None, description="When it ends by itself.")
    revoked_at: dt.datetime | None = None
    last_used_at: dt.datetime | None = Field(None, description="To about a minute.")
    replaced_by: str | None = Field(None, description="The key that it was rotated to.")


class NewApiKey(ApiKey):
    """A key just made; the only time that its secret is shown."""

    secret: str


class KeyRequest(Schema):
    """A key to make."""

    name: Annotated[str, AfterValidator(_printable)] = Field(
        min_length=1, max_length=120, description="What it is for, in printable characters."
    )
    scopes: Scopes = Field(
        (),
        description="What it shall be allowed, no more than the key that asks; unset, just as much "
        "as that. A publishable key takes none.",
    )
    expires_in: float | None = Field(
        None, gt=0, le=LONGEST_LIFE, description="Seconds until it ends by itself; unset, never."
    )
    publishable: bool = Field(False, description="Whether it is to stand in the pages of a shop.")
    origins: tuple[Origin, ...] = Field(
        (),
        max_length=MOST_ORIGINS,
        description="Of a publishable key, the origins from which browsers may send it.",
    )


class RotationRequest(Schema):
    """How a key is replaced."""

    overlap: float = Field(
        USUAL_OVERLAP,
        ge=0,
        le=LONGEST_OVERLAP,
        description="Seconds for which the old secret goes on beside the new one.",
    )


class SessionRequest(Schema):
    """What a shopper's browser shall be allowed, and for how long."""

    expires_in: float = Field(
        USUAL_SESSION,
        ge=60,
        le=LONGEST_SESSION,
        description="Seconds until the session ends.",
    )
    scopes: Scopes = Field(
        (),
        description="`read`, `design` or both, no more than your key has; unset, as much of them "
        "as it has.",
    )


class ShopperSession(Schema):
    """What a shopper's browser sends to be let in."""

    token: str = Field(
        description="Send it as `Authorization: Bearer ...`, beside the publishable key in "
        "`X-Toile-Key`."
    )
    scopes: tuple[Scope, ...]
    expires_at: dt.datetime
