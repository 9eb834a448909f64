"""Whose turn it is to write one SQLite file, among all threads of all processes of this machine.

SQLite lets one write at a time and keeps no queue: whoever finds the file locked sleeps, at last
100 ms at a time, and looks again. A worker that goes from batch to batch leaves the file free for
moments only, so that a front's look met one of them seldom. Here a writer that has waited is the
next one. SQLite's own locks stay what keeps the file whole; this only orders those who ask.
"""

import errno
import fcntl
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final, Self

from shared.errors import DatabaseUnavailableError, RecordsFullError

_FIRST_PAUSE: Final = 0.0002
_LONGEST_PAUSE: Final = 0.001
"""Seconds between looks at a lock that another process holds: what a change of hands may cost."""


class Turns:
    """A queue of writers: threads in the order in which they came, processes by turns.

    Args:
        database: the SQLite file, beside which the lock files lie; None for one in memory.
        seconds: how long a turn may be waited for.
    """

    def __init__(self, database: Path | None, *, seconds: float) -> None:
        self._threads = _Queue()
        self._processes = None if database is None else _Turnstile(database)
        self._seconds = seconds

    def __enter__(self) -> Self:
        """Wait for this thread's turn.

        Raises:
            DatabaseUnavailableError: somebody has been writing for too long.
        """
        until = time.monotonic() + self._seconds
        if not self._threads.enter(self._seconds):
            raise _busy("Another thread of this process has", self._seconds)
        if self._processes is not None:
            try:
                came = self._processes.enter(until)
            except BaseException:
                self._threads.leave()
                raise
            if not came:
                self._threads.leave()
                raise _busy("Other processes have", self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes is not None:
            self._processes.leave()
        self._threads.leave()


class _Queue:
    """A lock that is handed on in order: a plain one goes to whoever asks in the right moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Event] = deque()

    def enter(self, seconds: float) -> bool:
        """Wait for the lock; returns whether it came in time."""
        with self._lock:
            if not self._held:
                self._held = True
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(seconds):
            return True
        with self._lock:
            if mine.is_set():  # it came while we gave up
                return True
            self._waiting.remove(mine)
            return False

    def leave(self) -> None:
        """Hand the lock to who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False


class _Turnstile:
    """Two locked files: who writes, and who is next.

    Who writes must stand in line as the next one before writing again, and there the one who waits
    stands already. So nobody is passed by twice. The locks are `flock`'s: the kernel takes them
    back from a process that dies. The files are opened anew each time, because a forked child
    shares its parent's open files, and their locks.
    """

    def __init__(self, database: Path) -> None:
        self._next = database.with_name(database.name + "-next")
        self._turn = database.with_name(database.name + "-turn")
        self._held: int | None = None

    def enter(self, until: float) -> bool:
        """Wait until this process may write; returns whether it came in time."""
        following = _locked(self._next, until)
        if following is None:
            return False
        try:
            self._held = _locked(self._turn, until)
        finally:
            os.close(following)
        return self._held is not None

    def leave(self) -> None:
        """Let the next one write."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _locked(path: Path, until: float) -> int | None:
    """Return the descriptor of a file that is locked now, or None where that took too long.

    It looks again and again, because a `flock` that waits cannot be given up.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unlockable(path, error) from error
    pause = _FIRST_PAUSE
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    break
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _unlockable(path: Path, error: OSError) -> DatabaseUnavailableError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return RecordsFullError(
            f"The database's disk has no room for the lock file {path.name}. Nothing was changed; "
            "make room, and the same request works again."
        )
    return DatabaseUnavailableError(
        f"The folder of the database took no lock file ({error}). Nothing was changed; see that it "
        "is there, and that Toile may write to it. `toile doctor` looks."
    )


def _busy(who: str, seconds: float) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        f"{who} been writing for {seconds:g} seconds. Nothing was changed; try again, and if it "
        "goes on run `toile doctor`."
    )
