"""Status polls: what one costs the front, in processor time, and how many come to a core's second.

No worker runs. In turn, round by round and state by state (over, running, queued), callers poll one
job as fast as they are answered. With `--against` the front of another checkout stands beside, over
the same database and Redis, and has its turn in each round: a busy machine weighs on both.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from redis import Redis

from shared.jobs import lifecycle
from shared.queue.status import StatusBoard, StatusDocument
from shared.schemas.jobs import JobRecord, JobState, Progress
from tests.bench import backlog, machine, numbers, processes, random_release, results, servers
from tests.bench.backlog import Backlog
from tests.fixtures.stack import Stack, free_port, procfile, running_stack, wait_until_up
from tests.fixtures.valkey import running_valkey

_SIZE = 16
_LEASE = timedelta(hours=1)
STATES = ("over", "running", "queued")


@dataclass(frozen=True)
class Front:
    """A running web process: its port, and gunicorn's own child, which is what serves."""

    port: int
    process: int


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--against", type=click.Path(path_type=Path, exists=True),
              help="Another checkout, whose front has its turn too.")  # fmt: skip
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Of load in a measurement.")
@click.option("--clients", default=4, show_default=True)
@click.option("--states", multiple=True, type=click.Choice(STATES), default=STATES,
              show_default=True)  # fmt: skip
def main(
    *, out: Path, against: Path | None, rounds: int, seconds: float, clients: int,
    states: tuple[str, ...],
) -> None:  # fmt: skip
    """Measure polls of one job in each state."""
    with ExitStack() as open_ones:
        stack, ways, redis = open_ones.enter_context(_stack())
        key = stack.new_key("shop")
        jobs = _jobs(ways, redis)
        fronts = {"here": Front(stack.port, _serving(stack.processes["web"]))}
        if against is not None:
            fronts["there"] = open_ones.enter_context(_front_of(against, stack))
        asked = {"key": key, "seconds": seconds, "clients": clients, "way": "poll"}
        found = [
            {
                "load": machine.load()["load"],
                **{
                    state: {
                        name: _polled(front, {**asked, "path": f"/v1/jobs/{jobs[state]}"})
                        for name, front in fronts.items()
                    }
                    for state in states
                },
            }
            for _ in range(rounds)
        ]
    summary = numbers.summaries(found)
    result = {"clients": clients, "summary": summary, "rounds": found, "machine": machine.facts()}
    results.write(out / "polls.json", result)
    click.echo(json.dumps(numbers.plain(summary), indent=1))


@contextmanager
def _stack() -> Iterator[tuple[Stack, Backlog, Redis]]:
    with (
        tempfile.TemporaryDirectory(prefix="toile-bench-") as folder,
        running_valkey() as url,
        running_stack(Path(folder), url) as stack,
        backlog.opened(stack.settings) as ways,
        Redis.from_url(url) as redis,
    ):
        yield stack, ways, redis


@contextmanager
def _front_of(checkout: Path, stack: Stack) -> Iterator[Front]:
    """Start the front of another checkout over the same database and Redis."""
    port = free_port()
    named = {"PYTHONPATH": str(checkout.resolve()), "TOILE_PORT": str(port)}
    with (stack.folder / "there.log").open("ab") as log:
        process = subprocess.Popen(
            ["/bin/bash", "-c", procfile()["web"]],
            env={**stack.environment, **named}, cwd=checkout, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_up(replace(stack, port=port))
        yield Front(port, _serving(process))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _serving(process: subprocess.Popen[bytes]) -> int:
    return max(processes.of_group(process.pid))


def _jobs(ways: Backlog, redis: Redis) -> Mapping[str, str]:
    """Return the ids of a job in each state."""
    site_id = backlog.site_named(ways.records, "shop")
    release_id = backlog.new_release(
        ways, site_id, random_release.files(_SIZE), size=_SIZE,
        vocabulary=random_release.VOCABULARY,
    )  # fmt: skip
    made = ways.submit(site_id, release_id, jobs=3, count=4, size=_SIZE)
    with ways.records.transaction() as tx:
        over, running = (_claimed(tx, job) for job in made[:2])
        designs = [{"id": f"dsg_{place:024d}", "seed": place} for place in range(4)]
        lifecycle.finish(tx, over, JobState.SUCCEEDED, result={"designs": designs})
    shown = StatusDocument(fence=running.fence, progress=Progress(fraction=0.5, message="half"))
    StatusBoard(redis).write(running.id, shown)
    return {"over": over.id, "running": running.id, "queued": made[2].id}


def _claimed(tx: Any, job: JobRecord) -> JobRecord:
    claimed = lifecycle.claim(tx, job.id, worker="bench", lease=_LEASE, max_attempts=5)
    if claimed is None:
        raise AssertionError(job)
    return claimed


def _polled(front: Front, asked: Mapping[str, Any]) -> dict[str, float]:
    """Return what polls took: processor time of the serving process, and times of the callers."""
    before = processes.processor_seconds(front.process)
    told = servers.child("load", {**asked, "port": front.port})
    used = processes.processor_seconds(front.process) - before
    polls = told["requests"]
    return {
        "cpu_ms_a_poll": 1000 * used / polls,
        "polls_a_core_second": polls / used,
        **{name: told[name] for name in ("requests_per_second", "p50_ms", "p99_ms")},
    }


if __name__ == "__main__":
    main()
