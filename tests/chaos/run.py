"""A run of chaos: start all, ask, break, let it come to rest, count, and tell."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import func, select

from shared.errors import DatabaseUnavailableError
from shared.records.tables import JobRow
from shared.schemas.jobs import JobState
from tests.bench import machine
from tests.chaos import counting, faults
from tests.chaos.broker import Echo
from tests.chaos.clients import Amounts, Clients, requests
from tests.chaos.director import Director
from tests.chaos.drawing import draws
from tests.chaos.front import drawn_by_workers, seen_by_shops
from tests.chaos.ledger import Ledger
from tests.chaos.verdict import Finding, counted
from tests.chaos.world import World

LOG: Final = logging.getLogger(__name__)

_OPEN: Final = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Asked:
    """What a run is.

    Attributes:
        seed: decides the faults, and what is asked for.
        seconds: how long things are broken.
        every: seconds from kill to kill.
        amounts: what is asked for.
        clients: how many ask at once.
        patience: seconds without any progress after which what is left counts as stuck; more than
            the five minutes after which upkeep sends again whatever the queue looks like.
        drawn_by_workers: whether the workers draw with each release too, at the end. The count has
            drawn with them by then, in its own process.
    """

    seed: int
    seconds: float
    every: float
    amounts: Amounts
    clients: int = 4
    patience: float = 420.0
    drawn_by_workers: bool = True


@dataclass
class Told:
    """What a run showed."""

    findings: list[Finding]
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "troubles": counted(self.findings),
            "findings": [str(one) for one in self.findings],
            **self.facts,
        }


def run(world: World, asked: Asked) -> Told:
    """Do a run in a world that nobody has asked anything of yet."""
    director, ledger = Director(world), Ledger()
    asks = requests(asked.amounts, asked.seed, world.shops)
    clients = Clients(
        world, asks, ledger, threads=asked.clients, seconds=asked.seconds, seed=asked.seed
    )
    steps = faults.plan(
        asked.seed, seconds=asked.seconds, every=asked.every, without=director.impossible
    )
    began = time.monotonic()
    load = machine.load()["load"]
    with Echo(world.broker, world.ways.sender, asked.seed) as echo:
        clients.start()
        director.run(steps)
        broken = time.monotonic()
        resting = Resting(world, patience=asked.patience)
        director.tend(until=lambda: (clients.are_done and resting.is_over) or resting.gave_up)
        rested = time.monotonic()
    books = counting.read_books(world.ways.records, world.ways.store, known=world.known)
    findings = counting.count(books, ledger, loads=draws)
    findings += seen_by_shops(world, ledger)
    if asked.drawn_by_workers:
        findings += drawn_by_workers(world)
    return Told(
        findings,
        {
            "asked": _plain(asked),
            "accepted": ledger.accepted_by_kind,
            "requests": len(ledger.promises),
            "answers_lost": ledger.lost_answers,
            "connections_broken": ledger.broken,
            "statuses": dict(sorted(ledger.statuses.items())),
            "faults": dict(sorted(director.done.items())),
            "not_done": sorted(one.value for one in director.impossible),
            "restarts": dict(sorted(director.restarts.items())),
            "messages_repeated": dict(sorted(echo.sent.items())),
            "tries": counting.tries_of(books),
            "outcomes": counting.outcomes_of(books),
            "seconds": {
                "broken": round(broken - began, 1),
                "until_rest": round(rested - broken, 1),
                "all": round(time.monotonic() - began, 1),
            },
            "database": world.database,
            "load_before": load,
            "machine": machine.facts(),
        },
    )


class Resting:
    """Watches whether all jobs are over, and whether those that are not still get on.

    By progress, not by time: on a busy machine all takes longer, and nothing is wrong.
    """

    def __init__(self, world: World, *, patience: float) -> None:
        self._world = world
        self._patience = patience
        self._mark: tuple[Any, ...] = ()
        self._moved_at = time.monotonic()
        self._looked_at = 0.0
        self._is_over = False
        self.gave_up = False

    @property
    def is_over(self) -> bool:
        """Whether no job is open; looks twice a second, however often it is asked."""
        now = time.monotonic()
        if now - self._looked_at < 0.5:
            return self._is_over
        self._looked_at = now
        try:
            left, mark = self._look()
        except DatabaseUnavailableError:
            return False
        self._is_over = not left
        if mark != self._mark:
            self._mark, self._moved_at = mark, now
        self.gave_up = bool(left) and now - self._moved_at > self._patience
        return self._is_over

    def _look(self) -> tuple[int, tuple[Any, ...]]:
        """Return how many jobs are open, and what changes whenever something gets on."""
        with self._world.ways.records.reading() as tx:
            left = list(tx.session.execute(select(JobRow.id, JobRow.fence).where(
                JobRow.state.in_(_OPEN))))  # fmt: skip
            over = tx.session.scalar(select(func.count()).where(JobRow.state.not_in(_OPEN)))
        steps = [
            progress.step or progress.message
            for job_id, fence in left[:50]
            if (progress := self._world.board.read(job_id, fence=fence)) is not None
        ]
        return len(left), (over, *steps)


def _plain(asked: Asked) -> Mapping[str, Any]:
    return {**vars(asked), "amounts": vars(asked.amounts)}
