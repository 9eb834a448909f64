"""Which release a generation worker turns to next."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.records.waiting import Group

HEAD_START: Final = timedelta(seconds=2)
"""How much longer a release that is not in memory must have waited to go before one that is:
about what loading one costs."""


def by_turn(waiting: Sequence[Group], loaded: Collection[str]) -> list[str]:
    """Return the releases that are waited for, the one to turn to first.

    The most urgent priority decides, then how long the release has waited: since its oldest job was
    asked for, or since its last batch began if that is later. Without the latter a queue that
    never empties would keep every other release waiting until its last job.

    Args:
        waiting: who waits for what.
        loaded: releases in this worker's memory.
    """
    kinds = {group.release_id: _rank(waiting, group.release_id, loaded) for group in waiting}
    return sorted(kinds, key=kinds.__getitem__)


def _rank(
    waiting: Sequence[Group], release_id: str, loaded: Collection[str]
) -> tuple[int, datetime, str]:
    groups = [group for group in waiting if group.release_id == release_id]
    urgent = min(group.priority for group in groups)
    oldest = min(group.since for group in groups if group.priority == urgent)
    served = max((group.served_at for group in groups if group.served_at), default=oldest)
    since = max(oldest, served)
    return urgent, since - HEAD_START if release_id in loaded else since, release_id
