"""Refusing what would be written while the disk is nearly full."""

from typing import Final

from flask import request

from web.runtime import runtime

_WRITING: Final = frozenset({"POST", "PUT", "PATCH"})
_API: Final = "/v1/"
_STOPPING: Final = "/cancel"


def require() -> None:
    """Let a request be taken that writes something; deleting and cancelling always may.

    Before the body is read: a large upload would fill what is left of the disk.

    Raises:
        DiskFullError: too little room is left, so nothing is accepted.
    """
    is_writing = request.method in _WRITING and request.path.startswith(_API)
    if is_writing and not request.path.endswith(_STOPPING):
        runtime().room.require()
