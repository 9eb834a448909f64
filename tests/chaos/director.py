"""Carries out a plan of faults, and keeps the processes alive as a supervisor does."""

import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import psycopg
from sqlalchemy import update

from shared.errors import DatabaseUnavailableError
from shared.records.tables import JobRow
from shared.schemas.jobs import JobState
from tests.bench import processes
from tests.chaos.faults import Fault, Step
from tests.chaos.world import LEASE, OTHERS, WORKERS, World

LOG: Final = logging.getLogger(__name__)

_TICK: Final = 0.05
FROZEN: Final = LEASE + 2
"""Seconds: the lease of what the frozen worker holds ends while it sleeps, and another takes it."""
_STRAYS_LIVE: Final = LEASE + 4
"""Seconds that children live on without their parent: past the end of the lease of what they do."""
_AWAY: Final = 2.5
"""Seconds that a stopped Redis stays away."""
_FULL: Final = 2.5
"""Seconds that the disk stays full."""
_FORWARD: Final = timedelta(hours=1)
_BACK: Final = timedelta(seconds=3 * LEASE)
_REST: Final = 0.3
"""Seconds until a dead process is started again."""


class Director:
    """One thread that does harm by a plan and mends, so that a plan has one meaning."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._dead: dict[str, float] = {}
        self._away_until = 0.0
        self._web_is_due = False
        self.done: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self._ways: dict[Fault, Callable[[float], None]] = {
            Fault.KILL_CHILD: self._kill_child,
            Fault.KILL_PARENT: self._kill_parent,
            Fault.KILL_WORKER: self._kill_worker,
            Fault.KILL_WEB: lambda _pick: self._kill_web(),
            Fault.KILL_BEAT: lambda _pick: self._kill_group("beat"),
            Fault.KILL_REDIS: lambda _pick: self._break_redis(kill=True, lose=False, away=0),
            Fault.LOSE_REDIS: lambda _pick: self._break_redis(kill=True, lose=True, away=0),
            Fault.STOP_REDIS: lambda _pick: self._break_redis(kill=False, lose=False, away=_AWAY),
            Fault.EMPTY_REDIS: lambda _pick: world.broker.empty(),
            Fault.FREEZE_WORKER: self._freeze,
            Fault.CLOCK_FORWARD: lambda _pick: self._shift(_FORWARD),
            Fault.CLOCK_BACK: lambda _pick: self._shift(-_BACK),
            Fault.FILL_DISK: lambda _pick: self._fill_disk(),
            Fault.DROP_CONNECTIONS: lambda _pick: self._drop_connections(),
        }

    @property
    def impossible(self) -> frozenset[Fault]:
        """Faults that cannot be done to this world."""
        found = set()
        if not self._world.disk.is_small:
            found.add(Fault.FILL_DISK)
        if self._world.database != "postgresql":
            found.add(Fault.DROP_CONNECTIONS)
        return frozenset(found)

    def run(self, steps: Sequence[Step]) -> None:
        """Do all that a plan says, then mend all."""
        began = time.monotonic()
        try:
            for step in steps:
                self.tend(until=lambda at=began + step.at: time.monotonic() >= at)  # type: ignore[misc]
                LOG.info("%6.1f s: %s", time.monotonic() - began, step.fault)
                self._ways[step.fault](step.pick)
                self.done[step.fault.value] += 1
        finally:
            self.mend()

    def tend(self, *, until: Callable[[], bool]) -> None:
        """Start what died and undo what is due, until something is so."""
        while not until():
            self._do_what_is_due()
            self._revive()
            time.sleep(_TICK)

    def mend(self) -> None:
        """Undo all that still lasts."""
        later, self._later = self._later, []
        for _, undo in sorted(later, key=lambda one: one[0]):
            undo()
        self._revive()

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        due = [one for one in self._later if one[0] <= now]
        self._later = [one for one in self._later if one[0] > now]
        for _, undo in due:
            undo()
        if self._web_is_due and self._world.is_up("web"):
            self._kill_web()

    def _revive(self) -> None:
        now = time.monotonic()
        for name, process in list(self._world.stack.processes.items()):
            if process.poll() is None:
                self._dead.pop(name, None)
            elif now >= self._dead.setdefault(name, now + _REST):
                del self._dead[name]
                self.restarts[name] += 1
                self._world.start(name)
        if not self._world.broker.runs and now >= self._away_until:
            self._world.broker.start()

    def _chosen(self, pick: float) -> tuple[str, int]:
        """Return one of the workers that are up, and its process group; any, where none is up.

        One that is killed again while it starts only starves: on a busy machine nobody would work.
        """
        all_of_them = {
            name: self._world.stack.processes[name].pid
            for name in WORKERS
            if name in self._world.stack.processes
        }
        up = {name: group for name, group in all_of_them.items() if self._world.is_up(name)}
        groups = up or all_of_them
        name = sorted(groups)[int(pick * len(groups)) % len(groups)]
        return name, groups[name]

    def _kill_child(self, pick: float) -> None:
        """Kill the processes that work, and leave the one that hands out the work."""
        _, group = self._chosen(pick)
        for process in processes.of_group(group):
            if process != group:
                _signal(process, signal.SIGKILL)

    def _kill_parent(self, pick: float) -> None:
        """Kill the one that hands out, whose children go on beside those of its successor."""
        _, group = self._chosen(pick)
        _signal(group, signal.SIGKILL)
        self._later.append(
            (time.monotonic() + _STRAYS_LIVE, lambda: _signal_group(group, signal.SIGKILL))
        )

    def _kill_web(self) -> None:
        """Kill the front, as soon as it is up: nobody could ask for anything else."""
        self._web_is_due = not self._world.is_up("web")
        if not self._web_is_due:
            self._kill_group("web")

    def _kill_worker(self, pick: float) -> None:
        self._kill_group(self._chosen(pick)[0])

    def _kill_group(self, name: str) -> None:
        _signal_group(self._world.stack.processes[name].pid, signal.SIGKILL)

    def _freeze(self, pick: float) -> None:
        """Let a worker sleep past its lease, and wake it in the belief that it holds its jobs."""
        _, group = self._chosen(pick)
        _signal_group(group, signal.SIGSTOP)
        self._later.append(
            (time.monotonic() + FROZEN, lambda: _signal_group(group, signal.SIGCONT))
        )

    def _break_redis(self, *, kill: bool, lose: bool, away: float) -> None:
        broker = self._world.broker
        self._away_until = time.monotonic() + away
        (broker.kill if kill else broker.stop)()
        if lose:
            broker.lose_file()

    def _shift(self, by: timedelta) -> None:
        """Let the clock jump, by moving what open jobs' rows hold the other way.

        Every time in a row is compared with now and with nothing else, so that this is the same for
        all that reads rows, on either database, and needs no clock in the product to be set.
        """
        names = ("lease_expires_at", "not_before", "sent_at", "expires_at")
        open_ones = (JobState.QUEUED, JobState.RUNNING)
        with suppress(DatabaseUnavailableError), self._world.ways.records.transaction() as tx:
            rows = tx.session.query(JobRow).where(JobRow.state.in_(open_ones)).with_for_update()
            for row in rows.all():
                moved = {
                    name: value - by for name in names if (value := getattr(row, name)) is not None
                }
                if moved:
                    tx.session.execute(update(JobRow).where(JobRow.id == row.id).values(**moved))

    def _fill_disk(self) -> None:
        self._world.disk.fill()
        self._later.append((time.monotonic() + _FULL, self._world.disk.clear))

    def _drop_connections(self) -> None:
        url = self._world.ways.settings.database.set(drivername="postgresql")
        with psycopg.connect(
            url.render_as_string(hide_password=False), autocommit=True
        ) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


ALL_PROCESSES: Final = (*WORKERS, *OTHERS)
