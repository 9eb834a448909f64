"""Waiting for a database that is away, so that finished work is not thrown away for it."""

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from shared.errors import DatabaseUnavailableError
from worker.runtime import DRAINING

LOG: Final = logging.getLogger(__name__)

_FIRST: Final = 0.2
_LONGEST: Final = 2.0
"""Seconds between tries: an outage ends, and the worker goes on within so long of it."""

Result = TypeVar("Result")


def until_back(
    write: Callable[[], Result],
    *,
    seconds: float = 600,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Return what one transaction returns, tried again until the database takes it.

    That may take longer than the lease: it is checked in the transaction itself, so that what
    another worker has taken over meanwhile is refused then, and nothing is written twice. A
    database whose disk is full counts as away. A worker that is to stop does not wait.

    Args:
        write: opens a transaction and writes; it must leave nothing behind when it fails.
        seconds: for how long; what lasts longer is no outage, and upkeep takes over.
        sleep: waits.

    Raises:
        DatabaseUnavailableError: it is away for longer, or this worker is to stop.
    """
    pause, waited = _FIRST, 0.0
    while True:
        try:
            return write()
        except DatabaseUnavailableError as error:
            if DRAINING.is_set() or waited >= seconds:
                raise
            LOG.warning("Waiting for the database: %s", error)
        sleep(pause)
        waited += pause
        pause = min(2 * pause, _LONGEST)
