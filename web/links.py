"""Signed links: HMAC-SHA256 over the path and the whole query, by a key of the site's own.

The key comes from the server's secret and the site's salt: a new salt ends all links of the site.
Nothing is kept of a link.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Final
from urllib.parse import quote, urlencode

from shared.console import signing_key
from shared.errors import LinkRefusedError
from shared.settings import Settings

SIGNATURE: Final = "signature"
EXPIRES: Final = "expires"
SITE: Final = "site"

_PURPOSE: Final = b"toile signed links 1"
_WHOLE_SECONDS: Final = 60

Pairs = Iterable[tuple[str, str]]


class Links:
    """Signs links, and judges those that come.

    Args:
        settings: hold the secret.
        now: Unix time, seconds; for tests.
    """

    def __init__(self, settings: Settings, *, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._now = now

    @cached_property
    def _root(self) -> bytes:
        secret = signing_key(self._settings).encode()
        return hmac.digest(secret, _PURPOSE, "sha256")

    def sign(
        self, path: str, query: Pairs, *, site_id: str, salt: str, seconds: int
    ) -> tuple[str, int]:
        """Return a link and its end, Unix time, rounded up to a whole minute.

        Args:
            path: as it is routed.
            query: what else the address says, such as the variant.
            site_id: whose link it is.
            salt: the site's; a new one ends the link.
            seconds: how long it holds at least.
        """
        expires = -int(-(self._now() + seconds) // _WHOLE_SECONDS) * _WHOLE_SECONDS
        pairs = [*query, (EXPIRES, str(expires)), (SITE, site_id)]
        signed = [*pairs, (SIGNATURE, self._signature(path, pairs, site_id=site_id, salt=salt))]
        return f"{quote(path)}?{urlencode(signed)}", expires

    def seconds_left(self, path: str, query: Pairs, *, site_id: str, salt: str) -> int:
        """Return for how long a link still holds.

        Raises:
            LinkRefusedError: it was changed, is over, or was taken back.
        """
        pairs = list(query)
        given = [value for name, value in pairs if name == SIGNATURE]
        told = [pair for pair in pairs if pair[0] != SIGNATURE]
        ends = [value for name, value in told if name == EXPIRES]
        wanted = self._signature(path, told, site_id=site_id, salt=salt)
        # Compared in constant time, so that nothing is learned of a signature byte by byte.
        is_ours = len(given) == 1 and hmac.compare_digest(given[0].encode(), wanted.encode())
        if not is_ours or len(ends) != 1:
            raise LinkRefusedError(
                "This link's signature does not fit it: it was changed, was made for another "
                "picture, variant or site, or the site took its links back. POST /v1/links gives "
                "a new one.",
                why="signature",
            )
        left = int(ends[0]) - int(self._now())
        if left <= 0:
            raise LinkRefusedError(
                "This link is over. POST /v1/links gives a new one.",
                why="expired",
                expired_at=int(ends[0]),
            )
        return left

    def _signature(self, path: str, pairs: Pairs, *, site_id: str, salt: str) -> str:
        key = hmac.digest(self._root, f"{site_id}\n{salt}".encode(), "sha256")
        told = f"GET\n{path}\n{urlencode(sorted(pairs))}"
        digest = hmac.new(key, told.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
