"""The children of a worker: how much memory each takes, and that one has died.

A job that needs more memory than there is must end as such, and take nobody with it. Left to itself
the kernel kills whom it likes, the job is taken for one whose worker died, and is tried again until
its attempts are used up, on every worker in turn.

Only memory that a process has for itself counts: a training maps its catalog into memory, which the
kernel can take back at any time. A limit on addresses (RLIMIT_AS) would not do: TensorFlow reserves
many times of what it uses.

A child that dies of anything else leaves jobs too. Its parent, which lives, gives them back at
once; nobody need wait for the lease.
"""

import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from shared.settings import Settings

LOG: Final = logging.getLogger(__name__)

SHARE: Final = 0.9
"""Of the machine's or container's memory, that one child may take unless a limit is set."""

_LOOK_SECONDS: Final = 0.25
_GONE_SECONDS: Final = 10.0
_RECORD_SECONDS: Final = 120.0
_KILOBYTE: Final = 1024
# 0 is usual and 1000 goes first. Beside Redis, PostgreSQL and the parent a child goes first.
_SCORE: Final = "500"
_PROC: Final = Path("/proc")
_GROUPS: Final = Path("/sys/fs/cgroup")
_OWN: Final = ("RssAnon:", "RssShmem:", "VmSwap:")


class Cause(StrEnum):
    """Of what a child died."""

    LIMIT = "limit"  # it took more than its limit, and was ended
    KERNEL = (
        "kernel"  # the kernel killed it for want of memory, perhaps because of what others took
    )
    OTHER = "other"


@dataclass(frozen=True)
class Death:
    """How a child came to die.

    Attributes:
        pid: of the child that is gone.
        used: bytes that it took when last seen.
        limit: bytes that it may take.
        cause: of what it died.
    """

    pid: int
    used: int
    limit: int
    cause: Cause


def used_by(pid: int) -> int | None:
    """Return the bytes that a process has for itself, or None where it is gone.

    Anonymous and shared memory, and what of it was swapped out (proc_pid_status(5)).
    """
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    values = [line.split()[1] for line in lines if line.startswith(_OWN)]
    return sum(map(int, values)) * _KILOBYTE if values else None


def there_is() -> int | None:
    """Return the bytes of memory of this machine, or of its container where that has fewer."""
    found = [*_limits(), *_machine()]
    return min(found, default=None)


def kills() -> int:
    """Return how often the kernel has killed for want of memory, as far as it can be seen here."""
    counted = [_PROC / "vmstat", *(folder / "memory.events" for folder in _folders())]
    counted += [folder / "memory.oom_control" for folder in _folders()]
    return sum(_counted(path, "oom_kill") for path in counted)


def offer_to_kernel() -> None:
    """Let the kernel kill this process before others when memory runs out."""
    with suppress(OSError):
        (_PROC / "self" / "oom_score_adj").write_text(_SCORE)


class Warden:
    """A thread that ends children that take too much memory, and has it written what became of it.

    Args:
        settings: as they were read.
        children: returns the processes to look at.
        record: writes down a death.
        count_kills: returns how often the kernel has killed.
    """

    def __init__(
        self,
        settings: Settings,
        children: Callable[[], Sequence[int]],
        *,
        record: Callable[[Death], None] | None = None,
        count_kills: Callable[[], int] = kills,
    ) -> None:
        self.limit: Final = settings.worker_memory or int(SHARE * (there_is() or 0)) or None
        self._children = children
        self._record = record or record_apart
        self._count_kills = count_kills
        self._kills = count_kills()
        # Counted before the dead is gone: a large process takes a while to give its memory back.
        self._killed_at = -math.inf
        self._seen: dict[int, int] = {}
        self._ending = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warden", daemon=True)

    def start(self) -> None:
        """Look from now on; where nobody can tell what a process takes, do nothing."""
        if self.limit is None or used_by(os.getpid()) is None:
            LOG.info("Memory is not watched: this system does not tell what a process takes")
            return
        self._thread.start()

    def let_end(self) -> None:
        """Let children go from now on: the worker was told to stop, they put back their work."""
        self._ending = True

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():  # at once: what was never seen is not missed when it dies
            try:
                self.look()
            except OSError:
                LOG.exception("What the children take could not be read")
            self._over.wait(_LOOK_SECONDS)

    def look(self) -> None:
        """Look once at all children."""
        now = {pid: used_by(pid) for pid in self._children()}
        killed, self._kills = self._kills, self._count_kills()
        if self._kills > killed:
            self._killed_at = time.monotonic()
        by_kernel = time.monotonic() - self._killed_at < _GONE_SECONDS
        if by_kernel or not self._ending:
            cause = Cause.KERNEL if by_kernel else Cause.OTHER
            # Celery may have forgotten a child that lives: only what is gone counts.
            for pid in [pid for pid in self._seen if used_by(pid) is None]:
                self._bury(Death(pid, self._seen[pid], self.limit or 0, cause))
        self._seen = {pid: used for pid, used in now.items() if used is not None}
        for pid, used in list(self._seen.items()):
            if self.limit is not None and used > self.limit:
                self._end(Death(pid, used, self.limit, Cause.LIMIT))

    def _end(self, death: Death) -> None:
        LOG.error(
            "Child %d takes %d MiB and may take %d: ended",
            death.pid, death.used >> 20, death.limit >> 20,
        )  # fmt: skip
        with suppress(ProcessLookupError):
            os.kill(death.pid, signal.SIGKILL)
        deadline = time.monotonic() + _GONE_SECONDS
        # What it holds may be given to another only once it can write nothing more.
        while used_by(death.pid) is not None and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS / 10)
        self._seen.pop(death.pid, None)
        self._bury(death)

    def _bury(self, death: Death) -> None:
        try:
            self._record(death)
        except Exception:
            # Then its lease runs out, and upkeep finds the job as one whose worker died.
            LOG.exception(
                "What became of the jobs of child %d could not be written down", death.pid
            )


def record_apart(death: Death) -> None:
    """Write down a death in a process of its own.

    The main process forks the next child at this moment: with a database open, or a lock of its
    driver held by this thread, that child could hang.
    """
    command = [
        sys.executable, "-m", "worker.outgrown", f"{socket.gethostname()}:{death.pid}",
        "--used", str(death.used), "--limit", str(death.limit),
        "--cause", death.cause,
    ]  # fmt: skip
    subprocess.run(command, timeout=_RECORD_SECONDS, check=True)  # noqa: S603 - this interpreter


def _machine() -> Iterable[int]:
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
    except OSError:
        return
    yield from (int(line.split()[1]) * _KILOBYTE for line in lines if line.startswith("MemTotal:"))


def _limits() -> Iterable[int]:
    """Yield the limits of the control groups that this process is in, versions 1 and 2."""
    for folder in _folders():
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                yield int((folder / name).read_text())


def _folders() -> Iterable[Path]:
    """Yield the folders of this process' control groups that may tell of memory."""
    try:
        lines = (_PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers in {"", "memory"}:
            root = _GROUPS / controllers
            # Within a container the whole path is the host's, and the root is what is ours.
            yield from (root, *((root / place.lstrip("/"),) if place != "/" else ()))


def _counted(path: Path, name: str) -> int:
    try:
        pairs = (line.split() for line in path.read_text().splitlines())
        return sum(int(pair[1]) for pair in pairs if len(pair) > 1 and pair[0] == name)
    except (OSError, ValueError):
        return 0
