"""The C library's heap: memory that comes and goes in large pieces is kept until the work is over.

Left to itself, glibc gives back to the kernel what is free at the heap's end, and asks for it again
a millisecond later. Of a report, whose arrays of millions of rows live for one step each, an
eighth of the processor's time went into that.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_TRIM_THRESHOLD: Final = -1  # of glibc's malloc.h, as the next one
_MMAP_THRESHOLD: Final = -3
_LARGEST_OF_HEAP: Final = 32 * 2**20  # bytes; glibc takes no more
_KEPT: Final = 2**30
# What glibc itself arrives at, once pieces that large were freed.
_USUAL: Final = 2 * _LARGEST_OF_HEAP


@contextmanager
def kept() -> Iterator[None]:
    """Keep up to 1 GiB of freed memory for what is asked for next; give all of it back at the end.

    Not more is in use at once for that. Elsewhere than with glibc this does nothing: other heaps
    have other habits.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _LARGEST_OF_HEAP)
    library.mallopt(_TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        library.mallopt(_TRIM_THRESHOLD, _USUAL)
        library.malloc_trim(0)


def _glibc() -> Any:
    """Return the C library where it is glibc, else None."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
