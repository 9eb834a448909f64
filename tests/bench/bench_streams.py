"""Open event streams beside polls and submits: what they cost the rest, and how late news comes.

In turn, round by round: no stream, then `--streams` over as many jobs. In each half polls, then
submits, come at fixed rates whether or not they are answered; meanwhile every tenth job reports
progress once a second. No worker runs: the front is what is measured.
"""

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from redis import Redis

from shared.jobs import lifecycle
from shared.queue.events import News
from shared.queue.presence import Offer, Presence
from shared.schemas.jobs import JobRecord, JobState, Progress
from tests.bench import backlog, machine, numbers, processes, random_release, results, servers
from tests.bench.backlog import Backlog
from tests.fixtures.stack import Stack, running_stack
from tests.fixtures.valkey import running_valkey

_SIZE = 16
_LEASE = timedelta(hours=1)
_READY_SECONDS = 120


@dataclass(frozen=True)
class Front:
    """A running web process with jobs that somebody holds."""

    stack: Stack
    redis: Redis
    ways: Backlog
    key: str
    release_id: str
    held: Sequence[JobRecord]

    @property
    def process(self) -> int:
        """The process that serves: gunicorn's own child."""
        return max(processes.of_group(self.stack.processes["web"].pid))


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--streams", default=500, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=15.0, show_default=True, help="Of load in a measurement.")
@click.option("--polls", default=200.0, show_default=True, help="A second.")
@click.option("--submits", default=20.0, show_default=True, help="A second.")
def main(
    *, out: Path, streams: int, rounds: int, seconds: float, polls: float, submits: float
) -> None:
    """Measure the front without and with open streams."""
    rates = {"polls": polls, "submits": submits}
    with _front(streams) as front:
        found = [
            {
                "load": machine.load()["load"],
                "without": _loaded(front, rates, seconds),
                "with": _with_streams(front, rates, seconds),
            }
            for _ in range(rounds)
        ]
        ends = _ends(front)
    result: dict[str, Any] = {
        "streams": streams, "rates": rates, "summary": numbers.summaries(found), "rounds": found,
        "ends": ends, "machine": machine.facts(),
    }  # fmt: skip
    results.write(out / "streams.json", result)
    click.echo(json.dumps(numbers.plain({**result["summary"], "ends": ends}), indent=1))


@contextmanager
def _front(streams: int) -> Iterator[Front]:
    with (
        tempfile.TemporaryDirectory(prefix="toile-bench-") as folder,
        running_valkey() as url,
        running_stack(Path(folder), url, stream_limit=streams + 50) as stack,
        backlog.opened(stack.settings) as ways,
        Redis.from_url(url) as redis,
    ):
        key = stack.new_key("shop")
        site_id = backlog.site_named(ways.records, "shop")
        files = random_release.files(_SIZE)
        release_id = backlog.new_release(
            ways, site_id, files, size=_SIZE, vocabulary=random_release.VOCABULARY
        )
        offer = Offer(queues=("generate",), formats=tuple(range(20)), memory=2**40)
        Presence(redis, seconds=86_400).announce("bench@here", offer)
        made = ways.submit(site_id, release_id, jobs=streams, count=1, size=_SIZE)
        with ways.records.transaction() as tx:
            held = [
                lifecycle.claim(tx, job.id, worker="bench", lease=_LEASE, max_attempts=5)
                for job in made
            ]
        running = [job for job in held if job is not None]
        yield Front(stack, redis, ways, key, release_id, running)


def _with_streams(front: Front, rates: Mapping[str, float], seconds: float) -> dict[str, Any]:
    """Measure while one stream of each job is open."""
    with _reading(front, seconds=3 * seconds + 30) as reading:
        told = threading.Event()
        teller = threading.Thread(target=_tell, args=(front, told))
        teller.start()
        found = _loaded(front, rates, seconds)
        told.set()
        teller.join()
        reading.process.send_signal(signal.SIGINT)
    return {**found, "readers": reading.found}


def _ends(front: Front) -> dict[str, Any]:
    """Measure how long it takes until all streams have read their jobs' ends."""
    with _reading(front, seconds=120) as reading:
        began = time.monotonic()
        with front.ways.records.transaction() as tx:
            for job in front.held:
                lifecycle.finish(tx, job, JobState.CANCELLED, reason="cancelled_by_caller")
        committed = time.monotonic() - began
        News(front.redis).changed([job.id for job in front.held])
        reading.process.wait()
        ended = time.monotonic() - began - committed
    return {"seconds_after_commit": ended, **reading.found}


class _Reading:
    """A process that reads; what it found is there once its block is left."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.found: dict[str, Any] = {}


@contextmanager
def _reading(front: Front, *, seconds: float) -> Iterator[_Reading]:
    with tempfile.TemporaryDirectory(prefix="toile-bench-") as folder:
        ready, ask = Path(folder) / "ready", Path(folder) / "ask.json"
        asked = {
            "port": front.stack.port, "key": front.key, "seconds": seconds, "ready": str(ready),
            "jobs": [job.id for job in front.held],
        }  # fmt: skip
        ask.write_text(json.dumps(asked), encoding="utf-8")
        with subprocess.Popen(
            [sys.executable, "-m", "tests.bench.readers", str(ask)],
            cwd=machine.ROOT, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            until = time.monotonic() + _READY_SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise AssertionError("The readers did not open their streams.")
                time.sleep(0.05)
            reading = _Reading(process)
            yield reading
            told, _ = process.communicate()
            reading.found = json.loads(told.splitlines()[-1])


def _tell(front: Front, over: threading.Event) -> None:
    """Report the progress of every tenth job once a second, evenly over the second."""
    news, some = News(front.redis), front.held[::10]
    pause = 1 / max(1, len(some))
    while not over.is_set():
        for job in some:
            progress = Progress(fraction=0.5, message=f"at {time.time():.4f}")
            news.progress(job.id, progress, fence=job.fence)
            if over.wait(pause):
                return


def _loaded(front: Front, rates: Mapping[str, float], seconds: float) -> dict[str, Any]:
    """Return times of polls and submits, and what the front took meanwhile."""
    base = {"port": front.stack.port, "key": front.key, "seconds": seconds}
    ways: dict[str, dict[str, Any]] = {
        "polls": {"way": "poll", "path": f"/v1/jobs/{front.held[0].id}"},
        "submits": {"way": "submit", "release": front.release_id, "count": 1},
    }
    found: dict[str, Any] = {}
    process, began = front.process, time.monotonic()
    used = processes.processor_seconds(process)
    for name, way in ways.items():
        asked = {**base, **way, "rate": rates[name], "clients": 16}
        told = servers.child("load", asked)
        found[name] = {key: told[key] for key in ("requests_per_second", "p50_ms", "p99_ms")}
    cores = (processes.processor_seconds(process) - used) / (time.monotonic() - began)
    threads = len(list(Path(f"/proc/{process}/task").iterdir()))
    return {**found, "front_cores": cores, "front_threads": threads,
            "front_mib": processes.resident_mib(process)}  # fmt: skip


if __name__ == "__main__":
    main()
