"""Serving over a simulated device: what the queue, the rows and the pictures around it cost.

All is real (Valkey, SQLite, files, Celery workers as processes) but the device, which sleeps: so a
machine without a GPU can tell whether a worker would keep one busy.
"""

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from shared.queue.sender import Sender
from shared.records import waiting
from shared.schemas.designs import Priority
from tests.bench import backlog, machine, numbers, peer_celery, plots, processes, results
from tests.bench.backlog import Backlog
from tests.bench.simulated import FILE, Pacing, Simulated
from tests.fixtures.stack import Stack, migrated_stack
from tests.fixtures.valkey import running_valkey

APP = "tests.bench.simulated_worker"
PARTS = ("fill", "scaling", "flood", "peer")
COUNTS = (1, 8, 64)
"""Images in a job."""
BATCH = 64
_LONGEST = 600.0


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    pacing: Pacing
    seconds: float
    workers: Sequence[int]
    flood: int
    samples: int


@dataclass(frozen=True)
class Floor:
    """A running stack without a front: workers over simulated devices, and a site."""

    stack: Stack
    backlog: Backlog
    site_id: str

    def new_release(self, pacing: Pacing) -> str:
        """Return a release whose device is so fast."""
        return backlog.new_release(
            self.backlog,
            self.site_id,
            {FILE: pacing.model_dump_json().encode()},
            size=pacing.size,
            vocabulary=Simulated(pacing).vocabulary,
        )

    @property
    def groups(self) -> dict[str, int]:
        """The workers' process groups, by name."""
        return {name: process.pid for name, process in self.stack.processes.items()}


class Quiet(Sender):
    """Sends no hints, so that a backlog is whole before the first worker hears of it."""

    def hint_release(self, release_id: str, *, again: bool = False) -> None:
        """Stay quiet."""


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--parts", multiple=True, type=click.Choice(PARTS), default=PARTS,
              show_default=True)  # fmt: skip
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Of device time in a measurement.")
@click.option("--workers", multiple=True, type=int, default=(1, 2, 4, 8, 16), show_default=True)
@click.option("--flood", default=100_000, show_default=True, help="Jobs that wait in the flood.")
@click.option("--samples", default=200, show_default=True, help="Interactive jobs that are timed.")
@click.option("--fixed", default=8.0, show_default=True, help="Milliseconds of a pass.")
@click.option("--each", default=0.2, show_default=True, help="Milliseconds of a picture in it.")
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, parts: tuple[str, ...], rounds: int, seconds: float, workers: tuple[int, ...],
    flood: int, samples: int, fixed: float, each: float,
) -> None:  # fmt: skip
    """Measure how near the whole path comes to the device's own speed."""
    pacing = Pacing(fixed_ms=fixed, each_ms=each)
    asked = Asked(pacing, seconds, workers, flood, samples)
    ways: Mapping[str, Callable[[Asked], dict[str, Any]]] = {
        "fill": fill, "scaling": scaling, "flood": flooded, "peer": peer,
    }  # fmt: skip
    for part in parts:
        found = [{**ways[part](asked), "load": machine.load()["load"]} for _ in range(rounds)]
        result = {
            "pacing": pacing.model_dump(),
            "bound": pacing.bound(BATCH),
            "summary": numbers.summaries(found),
            "rounds": found,
            "machine": machine.facts(),
        }
        results.write(out / f"device-{part}.json", result)
        results.write_bytes(out / f"device-{part}.png", _plot(part, result))
        click.echo(f"{part}: {json.dumps(numbers.plain(result['summary']), indent=1)}")


@contextmanager
def floor(workers: int, *, app: str = APP, **settings: Any) -> Iterator[Floor]:
    """Run workers over devices of their own; what they leave is gone with the block.

    Args:
        workers: how many.
        app: what they run.
        settings: instead of the usual ones.
    """
    with (
        tempfile.TemporaryDirectory(prefix="toile-bench-") as folder,
        running_valkey() as redis_url,
        migrated_stack(Path(folder), redis_url, log_level="info", **settings) as stack,
        backlog.opened(stack.settings) as ways,
    ):
        site_id = backlog.new_site(ways.records, "shop")
        names = [f"generate.{place}" for place in range(workers)]
        for name in names:
            stack.start("generate", name=name, app=app)
        try:
            stack.wait_for_workers(*names, seconds=_LONGEST)
            yield Floor(stack, ways, site_id)
        finally:
            # What they hold is thrown away with the folder, so nobody waits for a clean end.
            for name in names:
                stack.kill(name)


def fill(asked: Asked) -> dict[str, Any]:
    """One worker, a backlog of small, middling and large jobs: share of the bound, and fill."""
    with floor(1) as ground:
        warm_up(ground, asked.pacing)
        return {
            f"jobs_of_{count}": worked_off(ground, asked.pacing, count=count, seconds=asked.seconds)
            for count in COUNTS
        }


def scaling(asked: Asked) -> dict[str, Any]:
    """A backlog for one worker, then for more; each has a device of its own."""
    found: dict[str, Any] = {}
    for count in (COUNTS[0], COUNTS[-1]):
        for workers in asked.workers:
            with floor(workers) as ground:
                warm_up(ground, asked.pacing)
                found[f"jobs_of_{count}_workers_{workers}"] = worked_off(
                    ground, asked.pacing, count=count, seconds=asked.seconds, workers=workers
                )
    return found


def worked_off(
    ground: Floor, pacing: Pacing, *, count: int, seconds: float, workers: int = 1
) -> dict[str, float]:
    """Submit what the devices need so long for, let it be made, and read it off the rows."""
    bound = pacing.bound(BATCH) * workers
    jobs = max(1, round(seconds * bound / count))
    release_id = ground.new_release(pacing)
    ways = ground.backlog
    quiet = Backlog(ways.settings, ways.records, ways.store, Quiet.from_settings(ways.settings))
    submitting = time.monotonic()
    quiet.submit(ground.site_id, release_id, jobs=jobs, count=count, size=pacing.size)
    submitting = time.monotonic() - submitting
    with processes.processor_time(ground.groups) as used:
        ways.sender.hint_release(release_id)
        ways.wait_until_over(release_id, seconds=_LONGEST)
    told = ways.told(release_id)
    speed = told["images"] / told["seconds"]
    return {
        **told,
        "images_per_second": speed,
        "share_of_bound": speed / bound,
        "fill": told["fill"] / BATCH,
        "processor_ms_a_batch": 1000 * sum(used.values()) / told["batches"],
        "submitted_per_second": jobs / submitting,
    }


def flooded(asked: Asked) -> dict[str, Any]:
    """Time interactive jobs while nothing else waits, then while another site floods the queue."""
    with floor(1) as ground:
        warm_up(ground, asked.pacing)
        release_id = ground.new_release(asked.pacing)
        idle = latencies(ground, release_id, asked)
        other = backlog.new_site(ground.backlog.records, "another shop")
        with processes.Watch(ground.groups) as watch:
            began = time.monotonic()
            ground.backlog.submit(
                other, release_id, jobs=asked.flood, count=1, size=asked.pacing.size,
                priority=Priority.BULK,
            )  # fmt: skip
            submitting = time.monotonic() - began
            busy = latencies(ground, release_id, asked)
            left = _left(ground.backlog)
            ground.backlog.wait_until_over(release_id, seconds=_LONGEST)
    return {
        "idle": idle,
        "flood": busy,
        "idle_less_device_ms": idle["p50"] - 1000 * asked.pacing.seconds(1),
        "p99_over_idle_ms": busy["p99"] - idle["p99"],
        "batch_ms": 1000 * asked.pacing.seconds(BATCH),
        "submitted_per_second": asked.flood / submitting,
        "left_at_the_end": left,
        "memory_mib": processes.growth(watch.readings),
    }


def latencies(ground: Floor, release_id: str, asked: Asked) -> dict[str, float]:
    """Submit one interactive job after the other; return what each took until it was over, ms."""
    found = []
    for _ in range(asked.samples):
        # At odd times, so that no rhythm of the batches is met again and again.
        time.sleep(random.uniform(0.01, 0.05))
        began = time.monotonic()
        (job,) = ground.backlog.submit(
            ground.site_id, release_id, jobs=1, count=1, size=asked.pacing.size,
            priority=Priority.INTERACTIVE,
        )  # fmt: skip
        ground.backlog.wait_for(job.id)
        found.append(1000 * (time.monotonic() - began))
    return {f"p{share}": float(np.percentile(found, share)) for share in (50, 95, 99)}


def peer(asked: Asked) -> dict[str, Any]:
    """One task a request over the same device, beside ours, in the same round."""
    jobs = max(8, round(asked.seconds / asked.pacing.seconds(1)))
    with tempfile.TemporaryDirectory(prefix="toile-peer-") as folder, running_valkey() as redis_url:
        model = {"device": asked.pacing.model_dump()}
        with peer_celery.running(Path(folder), redis_url, model) as app:
            theirs = peer_celery.backlog(app, jobs=jobs)
    with floor(1) as ground:
        warm_up(ground, asked.pacing)
        ours = worked_off(ground, asked.pacing, count=1, seconds=asked.seconds)
    speed = ours["jobs"] / ours["seconds"]
    return {
        "ours_jobs_per_second": speed,
        "theirs_jobs_per_second": theirs["jobs_per_second"],
        "ours_over_theirs": speed / theirs["jobs_per_second"],
    }


def warm_up(ground: Floor, pacing: Pacing) -> None:
    """Let every worker make something, so that none opens its connections while it is timed."""
    release_id = ground.new_release(pacing)
    jobs = 4 * BATCH * len(ground.groups)
    ground.backlog.submit(ground.site_id, release_id, jobs=jobs, count=1, size=pacing.size)
    ground.backlog.wait_until_over(release_id, seconds=_LONGEST)


def _left(ways: Backlog) -> int:
    """Return how much of a flood was left, which tells whether all samples were taken in it."""
    with ways.records.reading() as tx:
        return waiting.count(tx, most=10**6)


def _plot(part: str, result: Mapping[str, Any]) -> bytes:
    rounds = result["rounds"]
    if part == "fill":
        groups = {
            f"{count} an order": [one[f"jobs_of_{count}"]["share_of_bound"] for one in rounds]
            for count in COUNTS
        }
        return plots.bars(groups, title="Share of the device's own speed, one worker")
    if part == "flood":
        groups = {
            f"{when} {share}": [one[when][share] for one in rounds]
            for when in ("idle", "flood")
            for share in ("p50", "p99")
        }
        return plots.bars(groups, title="Interactive job, submit to succeeded, ms")
    if part == "peer":
        groups = {
            "Toile": [one["ours_jobs_per_second"] for one in rounds],
            "one task a request": [one["theirs_jobs_per_second"] for one in rounds],
        }
        return plots.bars(groups, title="Jobs a second of one image, one device", logarithmic=True)
    return _scaling_plot(result["summary"])


def _scaling_plot(summary: Mapping[str, Any]) -> bytes:
    series: dict[str, list[dict[str, float]]] = {}
    for name, told in summary.items():
        kind, _, workers = name.partition("_workers_")
        speed = told["images_per_second"]
        point = {"workers": float(workers), "images/s": speed["median"],
                 "low": speed["low"], "high": speed["high"]}  # fmt: skip
        series.setdefault(kind.replace("_", " "), []).append(point)
    return plots.curves(series, across="workers", up="images/s", title="Workers, a device each")


if __name__ == "__main__":
    main()
