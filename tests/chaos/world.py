"""The stack that chaos is done to: its processes, sites with garments, and planted releases."""

import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, select

from shared.client import Client
from shared.demo.drawn import write_archive
from shared.queue.connection import connect
from shared.queue.status import StatusBoard
from shared.records.tables import JobRow
from tests.bench import backlog
from tests.bench.backlog import Backlog
from tests.bench.simulated import FILE, Pacing, Simulated
from tests.chaos.broker import Broker, running_broker
from tests.chaos.disk import Disk, small_disk
from tests.fixtures.postgres import new_database, running_postgres
from tests.fixtures.stack import Stack, migrated_stack, wait_until_up

APP: Final = "tests.chaos.worker"
SIZE: Final = 16
LEASE: Final = 6.0
GARMENTS: Final = 80
DEVICE: Final = Pacing(fixed_ms=1500, each_ms=20, size=SIZE)
"""So slow that most kills of a generation worker meet it at work."""

WORKERS: Final[Mapping[str, str]] = {
    "train": "train",
    "generate.1": "generate",
    "generate.2": "generate",
    "chores": "chores",
}
OTHERS: Final[Mapping[str, str]] = {"web": "web", "beat": "beat"}

QUICK: Final[Mapping[str, Any]] = {
    "lease_seconds": LEASE,
    "heartbeat_seconds": 1,
    "upkeep_seconds": 1,
    "retry_delay_seconds": 0.05,
    # A kill every three seconds is no poison job: nobody may run out of attempts for it.
    "max_attempts": 1000,
    "batch_limit": 16,
    "trend_moodboards": "false",
    # The disk is small: what is to fill it must get beyond the floor.
    "disk_floor": 2**23,
    "site_queue_limit": 100_000,
}
"""Settings that make a lease end in seconds, so that a minute holds many deaths."""


@dataclass(frozen=True)
class Shop:
    """A site: its way in, its garments, and a release that needs no training."""

    name: str
    site_id: str
    key: str
    catalog: str
    release_id: str


@dataclass
class World:
    """A running stack and all that one needs to harm, use and judge it."""

    stack: Stack
    broker: Broker
    disk: Disk
    ways: Backlog
    board: StatusBoard
    database: str
    app: str = APP
    shops: list[Shop] = field(default_factory=list)
    known: frozenset[str] = frozenset()
    _said_before: dict[str, int] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start a process by its name."""
        log = self._log(name)
        self._said_before[name] = log.stat().st_size if log.exists() else 0
        self.stack.start({**WORKERS, **OTHERS}[name], name=name, app=self.app)

    def is_up(self, name: str) -> bool:
        """Return whether a process that was started last has come so far that it works."""
        if name in WORKERS:
            with self._log(name).open("rb") as log:
                log.seek(self._said_before.get(name, 0))
                return b" ready." in log.read()
        if name == "web":
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.stack.port)) == 0
        return True

    def _log(self, name: str) -> Path:
        return self.stack.folder / f"{name}.log"

    def client(self, shop: Shop, **options: Any) -> Client:
        """Return a way in for a site; options as `Client` takes them."""
        patience = {"patience": 600.0, "first_patience": 600.0}
        return Client(self.stack.url, shop.key, **{**patience, **options})


@contextmanager
def running_world(
    *,
    database: str = "sqlite",
    shops: int = 2,
    processes: Mapping[str, str] | None = None,
    disk_mebibytes: int = 256,
    pacing: Pacing | None = None,
    app: str = APP,
    **settings: Any,
) -> Iterator[World]:
    """Yield a stack that runs, with sites whose catalogs were taken in; gone with the block.

    Args:
        database: ``sqlite`` or ``postgresql``.
        shops: how many sites.
        processes: names of processes and their kinds; all where None.
        disk_mebibytes: room for all that the stack keeps, where a disk of its own can be had.
        pacing: of the planted releases' device.
        app: what the workers run.
        settings: instead of the usual quick ones.
    """
    wanted = {**WORKERS, **OTHERS} if processes is None else dict(processes)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="toile-world-")))
        disk = held.enter_context(small_disk(folder / "var", mebibytes=disk_mebibytes))
        broker = held.enter_context(running_broker())
        chosen = {**QUICK, **settings}
        address = held.enter_context(_database(database))
        if address is not None:
            chosen["database_url"] = address.render_as_string(hide_password=False)
        stack = held.enter_context(migrated_stack(folder, broker.url, **chosen))
        ways = held.enter_context(backlog.opened(stack.settings))
        board = StatusBoard(connect(stack.settings))
        world = World(stack, broker, disk, ways, board, database, app)
        held.callback(_end, stack)
        for name in wanted:
            world.start(name)
        wait_until_up(stack)
        stack.wait_for_workers(*(name for name in wanted if name in WORKERS), seconds=120)
        for place in range(shops):
            shop = _open_shop(world, f"shop{place}", pacing or DEVICE)
            world.shops.append(shop)
        if "chores" in wanted:
            for shop in world.shops:
                _fill(world, shop)
        world.known = _known(world)
        yield world


@contextmanager
def _database(name: str) -> Iterator[URL | None]:
    if name == "sqlite":
        yield None
        return
    with running_postgres() as server, new_database(server) as url:
        yield url


def _end(stack: Stack) -> None:
    """Kill what is left: it is thrown away with its folder, so nobody waits for a clean end."""
    for name in list(stack.processes):
        stack.kill(name)


def _open_shop(world: World, name: str, pacing: Pacing) -> Shop:
    key = world.stack.new_key(name)
    site_id = backlog.site_named(world.ways.records, name)
    release_id = backlog.new_release(
        world.ways,
        site_id,
        {FILE: pacing.model_dump_json().encode()},
        size=pacing.size,
        vocabulary=Simulated(pacing).vocabulary,
    )
    return Shop(name, site_id, key, f"drawn {name}", release_id)


def _fill(world: World, shop: Shop) -> None:
    """Take a drawn catalog in."""
    archive = world.stack.folder / f"{shop.name}.zip"
    write_archive(archive, count=GARMENTS, seed=3, end=date(2026, 6, 30))
    with world.client(shop) as client:
        client.create_catalog(shop.catalog, image_size=SIZE)
        job = client.wait(client.add_archive(shop.catalog, archive).id, timeout=120)
    if job.state != "succeeded":
        raise AssertionError(job)


def _known(world: World) -> frozenset[str]:
    """Return the jobs that were there before any client came."""
    with world.ways.records.reading() as tx:
        return frozenset(tx.session.scalars(select(JobRow.id)))
