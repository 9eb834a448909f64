"""Ties the life of a child process to its parent's, so that a killed parent leaves no orphans."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
# Loaded here, before any fork: loading a library between fork and exec can hang.
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def end_with(parent: int) -> None:
    """Let the kernel kill this process (SIGKILL) when the thread that forked it is gone.

    Only Linux has this. Elsewhere a parent that is killed with -9 leaves its children running, and
    the next `toile up` in that folder says so.
    """
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before the kernel was told
        os._exit(1)


def child_setup() -> Callable[[], None]:
    """Return what a child runs between fork and exec to end with the process that calls this."""
    parent = os.getpid()
    return lambda: end_with(parent)
