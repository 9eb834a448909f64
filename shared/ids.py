"""Identifiers: a readable prefix and 120 random bits, safe in URLs and file names."""

import base64
import re
import secrets
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_LENGTH: Final = 24
_BYTES: Final = 15  # of 8 bits, which are 24 characters of 5
_FROM_RFC: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET.encode())

SITE = "site"
KEY = "key"
CATALOG = "cat"
GARMENT = "gar"
SHARD = "shard"
UPLOAD = "upl"
MODEL = "model"
RELEASE = "rel"
JOB = "job"
DESIGN = "des"
REPORT = "rep"
PACK = "pack"
SHOPPER = "shop"
PREFERENCE = "pref"
ERASURE = "era"
INDEX = "idx"
FEED = "feed"
COLUMNS = "col"
DERIVATION = "der"
ALERT = "alert"
FIRING = "fired"
HOLD = "hold"
BACKUP = "backup"
PRIOR = "prior"
WEBHOOK = "hook"
EVENT = "evt"
DELIVERY = "dlv"

PATTERN: Final = re.compile(r"[a-z]{2,6}_[0-9a-hjkmnp-tv-z]{24}")


def new_id(prefix: str) -> str:
    """Return a new identifier such as ``job_4t9x...``: the prefix, then 24 base-32 characters."""
    drawn = base64.b32encode(secrets.token_bytes(_BYTES)).translate(_FROM_RFC)
    return f"{prefix}_{drawn.decode()}"
