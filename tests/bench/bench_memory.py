"""Whether any process grows: tens of thousands of designs and dozens of trainings, memory read on.

The whole stack runs. Designs are made with a release that was really trained, by TensorFlow, and
asked for and looked at over HTTP; trainings go on meanwhile, one after the other.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from shared.client import Client
from shared.schemas.designs import DesignRequest
from shared.schemas.jobs import Budget, JobState
from shared.schemas.models import TrainingRequest
from tests.bench import machine, numbers, plots, processes, results
from tests.chaos.world import OTHERS, SIZE, WORKERS, Shop, World, running_world

ALLOWED: Final = 0.10
"""Growth after warm-up, as a share."""

_AT_ONCE: Final = 50
_COUNT: Final = 10
"""Jobs in a request, and designs in a job."""

_EVERY: Final = 1.0
_JOB_SECONDS: Final = 1800.0
_WRITE_SECONDS: Final = 60.0
_WARM: Final = 0.25
"""Share of the readings that count as warm-up, and of those at its end and at the whole's that are
compared: a single reading meets a batch or misses it."""


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--designs", default=20_000, show_default=True)
@click.option("--trainings", default=50, show_default=True)
@click.option("--images", default=2048, show_default=True, help="Budget of each training.")
def main(*, out: Path, designs: int, trainings: int, images: int) -> None:
    """Make them all, and compare each process' memory after warm-up with that at the end."""
    names = {name: kind for name, kind in {**WORKERS, **OTHERS}.items() if name != "generate.2"}
    usual: dict[str, Any] = {
        "lease_seconds": 60,
        "heartbeat_seconds": 15,
        "upkeep_seconds": 10,
        "batch_limit": 64,
    }
    began = time.monotonic()
    with running_world(shops=1, processes=names, disk_mebibytes=4096, **usual) as world:
        shop = world.shops[0]
        release = _train(world, shop, seed=0, images=images)
        _design(world, shop, release, start=0)
        groups = {name: process.pid for name, process in world.stack.processes.items()}
        with processes.Watch(groups, every=_EVERY, read=processes.proportional_mib) as watch:
            work = Work(world, shop, release)
            work.start(designs=designs, trainings=trainings, images=images)
            while not work.is_over(seconds=_WRITE_SECONDS):
                _write(out, work, watch.readings, began)  # a run that is cut leaves what it saw
    told = _write(out, work, watch.readings, began)
    click.echo(json.dumps(numbers.plain(told["growth"]), indent=1))
    if work.failures:
        raise AssertionError(work.failures[0])


def _write(
    out: Path, work: "Work", readings: Mapping[str, list[float]], began: float
) -> dict[str, Any]:
    seen = {name: list(values) for name, values in sorted(dict(readings).items())}
    told = {
        "designs": work.designs,
        "trainings": work.trainings,
        "seconds": time.monotonic() - began,
        "growth": {name: growth(values) for name, values in seen.items()},
        "readings_mib": seen,
        "machine": machine.facts(),
    }
    results.write(out / "memory.json", told)
    results.write_bytes(out / "memory.png", _plot(seen))
    return told


def growth(readings: Sequence[float]) -> dict[str, float | bool]:
    """Return a process' memory after warm-up and at the end, MiB, and the share it grew by.

    Both are medians over as many readings: the warm-up's last part, and the whole's last part.
    """
    part = max(1, int(len(readings) * _WARM / 2))
    warm_end = max(part, int(len(readings) * _WARM))
    warm = float(np.median(readings[warm_end - part : warm_end]))
    end = float(np.median(readings[-part:]))
    share = end / warm - 1 if warm else 0.0
    return {
        "warm_mib": round(warm, 1),
        "end_mib": round(end, 1),
        "most_mib": round(max(readings), 1),
        "grew_by": round(share, 4),
        "is_within": share <= ALLOWED,
    }


class Work:
    """Designs and trainings that are made beside each other, and how many of them were.

    Attributes:
        designs: made so far.
        trainings: done so far.
        failures: what went wrong, for whoever started it.
    """

    def __init__(self, world: World, shop: Shop, release: str) -> None:
        self._world, self._shop, self._release = world, shop, release
        self._threads: list[threading.Thread] = []
        self.designs = 0
        self.trainings = 0
        self.failures: list[BaseException] = []

    def start(self, *, designs: int, trainings: int, images: int) -> None:
        """Begin to ask for so many, each training with a budget of so many images."""

        def design() -> None:
            for start in range(0, designs, _AT_ONCE * _COUNT):
                _design(self._world, self._shop, self._release, start=start)
                self.designs += _AT_ONCE * _COUNT

        def train() -> None:
            for place in range(trainings):
                _train(self._world, self._shop, seed=place + 1, images=images)
                self.trainings += 1

        self._threads = [
            threading.Thread(target=self._tried, args=(work,)) for work in (design, train)
        ]
        for thread in self._threads:
            thread.start()

    def is_over(self, *, seconds: float) -> bool:
        """Wait for the end, so long at most, and return whether it came."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _tried(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - a thread's errors are told by its starter
            self.failures.append(error)


def _train(world: World, shop: Shop, *, seed: int, images: int) -> str:
    """Return the release of a training."""
    request = TrainingRequest(
        catalog=shop.catalog, model="memory", preset="mlp", budget=Budget(images=images), seed=seed
    )
    with world.client(shop) as client:
        job = client.wait(client.train(request).id, timeout=_JOB_SECONDS)
    if job.state is not JobState.SUCCEEDED or job.result is None:
        raise AssertionError(job)
    return str(job.result["release_id"])


def _design(world: World, shop: Shop, release: str, *, start: int) -> None:
    """Ask for designs in one request, wait for them all, and look at one."""
    asked = [
        DesignRequest(release=release, count=_COUNT, seed=start + place * _COUNT, size=SIZE,
                      fresh=True)
        for place in range(_AT_ONCE)
    ]  # fmt: skip
    with world.client(shop) as client:
        _look(client, [job.id for job in client.design_all(asked)])


def _look(client: Client, jobs: Sequence[str]) -> None:
    for job_id in jobs:
        job = client.wait(job_id, timeout=_JOB_SECONDS)
        if job.state is not JobState.SUCCEEDED or job.result is None:
            raise AssertionError(job)
        if job_id == jobs[-1]:
            client.read(job.result["designs"][0]["image_url"])


def _plot(readings: Mapping[str, Sequence[float]]) -> bytes:
    series = {
        name: [
            {"seconds": place * _EVERY, "MiB": values[place]}
            for place in range(0, len(values), max(1, len(values) // 200))
        ]
        for name, values in sorted(readings.items())
    }
    return plots.curves(
        series, across="seconds", up="MiB", title="Memory of each process (PSS)", logarithmic=True
    )


if __name__ == "__main__":
    main()
