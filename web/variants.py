"""Variants that were made, kept while there is room for them, and the choice of their format."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from werkzeug.datastructures import MIMEAccept

from shared.schemas.variants import PictureFormat

_AT_ONCE: Final = 2
"""Variants made at once: encoding takes a core, and the other threads answer polls."""


class Variants:
    """The variants that were asked for lately. They are cheap to make again, so none is stored.

    Args:
        memory: bytes of them that are kept; the one asked for longest ago goes first.
    """

    def __init__(self, *, memory: int) -> None:
        self._memory = memory
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._making = threading.BoundedSemaphore(_AT_ONCE)

    def get(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return what is kept under a name, or make it.

        Args:
            name: tells picture, size and format.
            make: makes it; called by few threads at a time.
        """
        found = self._find(name)
        if found is not None:
            return found
        with self._making:
            # Whoever waited here may find that another made just this.
            found = self._find(name)
            if found is None:
                found = make()
                self._keep(name, found)
        return found

    @property
    def size(self) -> int:
        """The bytes that are kept."""
        return self._size

    def _find(self, name: str) -> bytes | None:
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
                self._kept.move_to_end(name)
            return found

    def _keep(self, name: str, data: bytes) -> None:
        if len(data) > self._memory:
            return
        with self._lock:
            before = self._kept.pop(name, b"")
            self._kept[name] = data
            self._size += len(data) - len(before)
            while self._size > self._memory:
                _, oldest = self._kept.popitem(last=False)
                self._size -= len(oldest)


def negotiated(accept: MIMEAccept) -> PictureFormat:
    """Return the best format that a caller names; wildcards name none, so that those get PNG."""
    named = {kind: quality for kind, quality in accept if "*" not in kind}
    for one in (PictureFormat.AVIF, PictureFormat.WEBP):
        if named.get(one.media_type, 0) > 0:
            return one
    return PictureFormat.PNG
