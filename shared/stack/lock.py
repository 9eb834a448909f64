"""A lock on a folder that the kernel gives back when its holder dies, and who holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from shared.errors import ConflictError
from shared.schemas.base import Schema


class Holder(Schema):
    """Who holds a lock: the process, and the address of its page where it has one."""

    pid: int
    url: str | None = None


class AlreadyRunningError(ConflictError):
    """Another process holds the lock."""

    reason = "already_running"


@contextmanager
def hold(path: Path, *, what: str, url: str | None = None) -> Iterator[None]:
    """Hold the lock at a path; it ends with the process, however that ends.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, path, what)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, Holder(pid=os.getpid(), url=url).model_dump_json().encode(), 0)
        yield
        os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Return who holds the lock at a path, or None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, path: Path, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = _read(descriptor)
        place = f" at {found.url}" if found and found.url else ""
        who = f" (process {found.pid})" if found else ""
        raise AlreadyRunningError(
            f"{what} already runs{place}{who}, and holds {path}. Use that one, stop it, or set "
            "TOILE_HOME to another folder.",
            **({} if found is None else found.model_dump()),
        ) from None


def _read(descriptor: int) -> Holder | None:
    try:
        return Holder.model_validate_json(os.pread(descriptor, 4096, 0))
    except ValidationError:  # it was taken a moment ago and is not written yet
        return None
