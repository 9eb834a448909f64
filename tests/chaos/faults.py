"""What is done to a running stack, and when: a plan that a seed decides."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """One way to harm a stack; `tests.chaos.director` says how each is done."""

    KILL_CHILD = "kill_child"
    KILL_PARENT = "kill_parent"
    KILL_WORKER = "kill_worker"
    KILL_WEB = "kill_web"
    KILL_BEAT = "kill_beat"
    KILL_REDIS = "kill_redis"
    LOSE_REDIS = "lose_redis"
    STOP_REDIS = "stop_redis"
    EMPTY_REDIS = "empty_redis"
    FREEZE_WORKER = "freeze_worker"
    CLOCK_FORWARD = "clock_forward"
    CLOCK_BACK = "clock_back"
    FILL_DISK = "fill_disk"
    DROP_CONNECTIONS = "drop_connections"


KILLS: Final = (
    Fault.KILL_CHILD,
    Fault.KILL_PARENT,
    Fault.KILL_WORKER,
    Fault.KILL_WEB,
    Fault.KILL_BEAT,
    Fault.KILL_REDIS,
)
_WEIGHTS: Final = (4, 3, 3, 2, 1, 1)
"""How often each kind of kill is drawn: workers hold the work, so they die most."""

DISTURBANCES: Final = tuple(one for one in Fault if one not in KILLS)

_APART: Final = 2.5
"""How much rarer disturbances are than kills: most of them last longer than a kill's mending."""


@dataclass(frozen=True, order=True)
class Step:
    """One fault of a plan.

    Attributes:
        at: seconds after the beginning.
        fault: what is done.
        pick: 0 to 1, chooses whom it hits among those that there are.
    """

    at: float
    fault: Fault
    pick: float


def plan(
    seed: int, *, seconds: float, every: float, without: Collection[Fault] = ()
) -> tuple[Step, ...]:
    """Return the faults of a run, in their order; the same arguments give the same ones.

    Args:
        seed: decides all.
        seconds: how long the faults go on.
        every: seconds from kill to kill; disturbances come between them, more rarely.
        without: faults that cannot be done here.

    Returns:
        Each kind of fault at least once, where there is room for so many.
    """
    rng = random.Random(seed)
    kills = [one for one in KILLS if one not in without]
    weights = [_WEIGHTS[KILLS.index(one)] for one in kills]
    others = [one for one in DISTURBANCES if one not in without]
    return tuple(
        sorted(
            [
                *_line(rng, kills, weights, seconds=seconds, every=every, first=every),
                *_line(
                    rng,
                    others,
                    [1] * len(others),
                    seconds=seconds,
                    every=_pause(seconds, every, len(others)),
                    first=every / 2,
                ),
            ]
        )
    )


def _pause(seconds: float, every: float, kinds: int) -> float:
    """Return the seconds between disturbances: short runs have them closer, so that all come."""
    return min(_APART * every, seconds / max(kinds, 1))


def _line(
    rng: random.Random,
    kinds: Sequence[Fault],
    weights: Sequence[int],
    *,
    seconds: float,
    every: float,
    first: float,
) -> Iterator[Step]:
    if not kinds:
        return
    due = rng.sample(list(kinds), len(kinds))  # each once, before chance decides
    at = first
    while at < seconds:
        fault = due.pop() if due else rng.choices(kinds, weights)[0]
        yield Step(round(at, 3), fault, rng.random())
        at += every
