"""Identifiers: a readable prefix and 120 random bits, safe in URLs and file names."""

import base64
import hashlib
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

PATTERN: Final = re.compile(r"[a-z]{2,6}_[0-9a-hjkmnp-tv-z]{24}")


def new_id(prefix: str) -> str:
    """Return a new identifier such as ``job_4t9x...``: the prefix, then 24 base-32 characters."""
    drawn = base64.b32encode(secrets.token_bytes(_BYTES)).translate(_FROM_RFC)
    return f"{prefix}_{drawn.decode()}"


def derived_id(prefix: str, *parts: object) -> str:
    """Return the identifier that stands for these parts, always the same one.

    120 bits of their SHA-256. For what is made again when an attempt is repeated.
    """
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).digest()
    # 256 is a multiple of 32, so that each character is as likely as any other.
    return f"{prefix}_{''.join(_ALPHABET[byte % 32] for byte in digest[:_LENGTH])}"
