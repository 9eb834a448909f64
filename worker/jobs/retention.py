"""Letting go, in bounded steps: what is past its time, and what no row names."""

import logging
from typing import Final

from redis.exceptions import RedisError

from shared.errors import DatabaseUnavailableError, StoreUnavailableError
from shared.keeping.orphans import Orphans
from shared.keeping.retention import Retention
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

PLACE: Final = "toile:orphans:place"
"""Where the next sweep of the store goes on. Redis may lose it: then one begins anew."""

_SECONDS: Final = 30.0


def let_go(runtime: Runtime) -> None:
    """Do one round: retention, then half a minute of looking for orphans."""
    try:
        Retention(runtime.records, runtime.store, runtime.settings).run()
        orphans = Orphans(runtime.records, runtime.store, runtime.settings)
        done = orphans.sweep(_place(runtime), seconds=_SECONDS)
    except (DatabaseUnavailableError, StoreUnavailableError) as error:
        LOG.warning("Nothing was let go; the next round goes on from here: %s", error)
        return
    _note(runtime, done.place)
    if done.removed or done.half_written or done.struck_out:
        LOG.info("Swept the store: %s", done)


def _place(runtime: Runtime) -> str:
    try:
        found = runtime.redis.get(PLACE)
    except RedisError:
        return ""
    return found.decode() if isinstance(found, bytes) else ""


def _note(runtime: Runtime, place: str) -> None:
    try:
        if place:
            runtime.redis.set(PLACE, place)
        else:
            runtime.redis.delete(PLACE)
    except RedisError as error:
        LOG.warning("The next sweep begins anew: %s", error)
