"""Runs the one-task-a-request peer: its worker as a process, and requests to it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery

from tests.bench.machine import ROOT
from tests.bench.peers import per_request

_SECONDS = 300


@contextmanager
def running(
    folder: Path, redis_url: str, model: Mapping[str, Any], *, workers: int = 1
) -> Iterator[Celery]:
    """Yield the sending side of a peer whose worker has answered once.

    Args:
        folder: for its log and pictures.
        redis_url: the broker, of nobody else.
        model: as `tests.bench.peers.models.painter` takes it.
        workers: processes that work, each with a device of its own.
    """
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    ask = folder / "ask.json"
    told = {"redis": redis_url, "folder": str(pictures), "model": model}
    ask.write_text(json.dumps(told), encoding="utf-8")
    command = [
        sys.executable, "-m", "celery", "-q", "-A", "tests.bench.peers.per_request", "worker",
        "-P", "prefork", "-c", str(workers), "--without-gossip", "--without-mingle",
        "--loglevel", "warning",
    ]  # fmt: skip
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), per_request.ASK: str(ask)}
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        app = per_request.connected(redis_url)
        submit(app, 0, 1).get(timeout=_SECONDS)
        yield app
    finally:
        process.terminate()
        process.wait(60)


def submit(app: Celery, seed: int, count: int) -> Any:
    """Send one request; its result says when it began and ended."""
    return app.send_task(per_request.TASK, args=[seed, count])


def backlog(app: Celery, *, jobs: int, count: int = 1) -> dict[str, float]:
    """Send many requests at once; return how many a second were answered once one was begun."""
    sent = [submit(app, place * count, count) for place in range(jobs)]
    times = [one.get(timeout=_SECONDS) for one in sent]
    seconds = max(end for _, end in times) - min(start for start, _ in times)
    return {
        "jobs": jobs,
        "images": jobs * count,
        "seconds": seconds,
        "jobs_per_second": jobs / seconds,
    }
