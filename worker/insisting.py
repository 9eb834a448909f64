"""Ending a try at a job when the work itself does not listen.

Work looks at every step whether it must stop. A step can be long: a compile, a report over millions
of garments, a library that asks nobody. The caller who cancelled must not wait for it, nor the
operator who drains a host. So after a while the job is ended, or put back, from beside: the fence
makes stale what the work would still write, and at its next look it learns that the job is lost.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

CANCEL_SECONDS: Final = 1.0
"""With the half second in which a cancel is seen, under the two that it may take."""

DRAIN_SECONDS: Final = 18.0
"""Under the twenty within which a worker that drains gives back what it holds."""

_LOOK_SECONDS: Final = 0.1


class Insisting:
    """A thread that waits for a reason to stop, and some time later insists on it.

    Args:
        reasons: by patience in seconds, what tells whether there is a reason, and what to do about
            it; each is done once at most, and none after the block has ended.
    """

    def __init__(self, *reasons: tuple[float, Callable[[], bool], Callable[[], None]]) -> None:
        self._reasons = reasons
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="insisting", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        since: dict[int, float] = {}
        while not self._over.wait(_LOOK_SECONDS):
            now = time.monotonic()
            for place, (patience, holds, act) in enumerate(self._reasons):
                if not holds():
                    since.pop(place, None)
                elif now - since.setdefault(place, now) >= patience:
                    act()
                    return
