"""What is new in a report against the one before it over the same garments."""

import math
from typing import Final

import numpy as np

from shared.schemas.trends import Difference, Moved, Revised, TrendClass
from worker.trends.issued import BANDS, Issued, Key
from worker.trends.ranking import number

MOST_REVISIONS: Final = 10
_LOW80, _HIGH80 = BANDS.index("low80"), BANDS.index("high80")
_TINY: Final = 1e-9
_GOING: Final = frozenset({"rising", "declining"})


def difference(before: Issued, now: Issued) -> Difference:
    """Return what a report says that the one before it did not.

    Args:
        before: what the previous report issued.
        now: what the new one issues.
    """
    moved = [_moved(before, now, key) for key in {**now.rows, **before.rows}]
    changed = [one for one in moved if one.before != one.now]
    told = {
        "new_rises": [one for one in changed if one.now == "rising"],
        "new_falls": [one for one in changed if one.now == "declining"],
        "ended": [one for one in changed if one.before in _GOING and one.now not in _GOING],
    }
    named = {id(one) for group in told.values() for one in group}
    others = [
        one
        for one in changed
        if id(one) not in named and one.before is not None and one.now is not None
    ]
    return Difference(
        against=before.report_id,
        against_at=before.issued_at,
        class_changes=tuple(others),
        revisions=_revisions(before, now),
        **{name: tuple(group) for name, group in told.items()},
    )


def _moved(before: Issued, now: Issued, key: Key) -> Moved:
    return Moved(
        **key._asdict(),
        before=_kind(before, key),
        now=_kind(now, key),
        change_before=_change(before, key),
        change_now=_change(now, key),
    )


def _kind(issued: Issued, key: Key) -> TrendClass | None:
    row = issued.rows.get(key)
    return None if row is None else issued.kinds[row]


def _change(issued: Issued, key: Key) -> float | None:
    row = issued.rows.get(key)
    if row is None or not math.isfinite(issued.change[row]):
        return None
    return number(issued.change[row])


def _revisions(before: Issued, now: Issued) -> tuple[Revised, ...]:
    """Return the largest changes of the mean share expected over the periods that both forecast."""
    shared = [day for day in now.periods if day in before.periods]
    if before.period != now.period or not shared:
        return ()
    then = [before.periods.index(day) for day in shared]
    here = [now.periods.index(day) for day in shared]
    found = []
    for key, row in now.rows.items():
        old = before.rows.get(key)
        if old is None:
            continue
        said, says = before.bands[:, old][:, then].mean(1), now.bands[:, row][:, here].mean(1)
        revision = (says[0] + _TINY) / (said[0] + _TINY) - 1
        found.append(
            Revised(
                **key._asdict(),
                before=number(said[0]),
                now=number(says[0]),
                revision=number(revision),
                outside80=not said[_LOW80] <= says[0] <= said[_HIGH80],
                first=shared[0],
                last=shared[-1],
            )
        )
    # By what it means for the shop: a tenth of a large share is more than a half of a tiny one.
    found.sort(key=lambda one: -abs(_arc(one.now) - _arc(one.before)))
    return tuple(found[:MOST_REVISIONS])


def _arc(share: float) -> float:
    """Return a share on the scale on which chance is the same at any size (Anscombe 1948)."""
    return float(np.arcsin(math.sqrt(min(max(share, 0.0), 1.0))))
