"""What the serving benchmark puts load on: Toile, its peers, and the bare limit, as processes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.bench import backlog, peer_celery
from tests.bench.backlog import Backlog
from tests.bench.machine import ROOT
from tests.bench.peers import per_request
from tests.bench.random_release import VOCABULARY
from tests.fixtures.stack import Stack, free_port, running_stack
from tests.fixtures.valkey import running_valkey

_SECONDS = 600


@dataclass(frozen=True)
class Model:
    """A release of random weights, as files in a folder."""

    size: int
    files: Mapping[str, bytes]
    folder: Path


@dataclass(frozen=True)
class Served:
    """A running Toile with one model.

    Attributes:
        stack: its processes: the front and one worker.
        ways: its rows.
        release_id: the model.
        key: of the site.
    """

    stack: Stack
    ways: Backlog
    release_id: str
    key: str

    @property
    def target(self) -> dict[str, Any]:
        """What a caller must know."""
        return {"way": "designs", "port": self.stack.port, "key": self.key,
                "release": self.release_id}  # fmt: skip


@contextmanager
def toile(model: Model, **settings: Any) -> Iterator[Served]:
    """Run the front and one worker that has the model in memory."""
    with (
        tempfile.TemporaryDirectory(prefix="toile-bench-") as folder,
        running_valkey() as redis_url,
        running_stack(Path(folder), redis_url, **settings) as stack,
        backlog.opened(stack.settings) as ways,
    ):
        key = stack.new_key("shop")
        site_id = backlog.site_named(ways.records, "shop")
        release_id = backlog.new_release(
            ways, site_id, model.files, size=model.size, vocabulary=VOCABULARY
        )
        stack.start("generate")
        try:
            stack.wait_for_workers("generate", seconds=_SECONDS)
            (job,) = ways.submit(site_id, release_id, jobs=1, count=1, size=model.size)
            ways.wait_for(job.id, seconds=_SECONDS)
            yield Served(stack, ways, release_id, key)
        finally:
            for name in list(stack.processes):
                stack.kill(name)


@contextmanager
def celery(model: Model) -> Iterator[dict[str, Any]]:
    """Run one-task-a-request Celery with the model; yields what a caller must know."""
    with (
        tempfile.TemporaryDirectory(prefix="toile-peer-") as folder,
        running_valkey() as redis_url,
        peer_celery.running(Path(folder), redis_url, {"folder": str(model.folder)}),
    ):
        yield {"way": "tasks", "redis": redis_url, "port": 0}


@contextmanager
def other(name: str, python: Path, model: Model) -> Iterator[dict[str, Any]]:
    """Run LitServe or BentoML with the model, by an interpreter that has them."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="toile-peer-") as folder:
        ask = Path(folder) / "ask.json"
        ask.write_text(json.dumps({"model": {"folder": str(model.folder)}}), encoding="utf-8")
        commands = {
            "litserve": ("-m", "tests.bench.peers.litserve_app", str(ask), str(port)),
            "bentoml": ("-m", "bentoml", "serve", "tests.bench.peers.bentoml_app:Peer",
                        "--port", str(port)),
        }  # fmt: skip
        environment = {"PATH": f"{python.parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT),
                       "HOME": folder, per_request.ASK: str(ask)}  # fmt: skip
        body = {"litserve": {"seed": False}, "bentoml": {"seeds": True}}[name]
        with (Path(folder) / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(python), *commands[name]], env=environment, cwd=ROOT, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            _until_it_answers(port, body, process, Path(folder) / "log")
            yield {"way": "predict", "port": port, "body": body}
        finally:
            # The whole group: LitServe's own processes outlive the one that was started.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def has(python: Path, name: str) -> bool:
    """Return whether an interpreter has a peer."""
    done = subprocess.run([str(python), "-c", f"import {name}"], capture_output=True, check=False)
    return done.returncode == 0


def bare(model: Model, seconds: float) -> dict[str, float]:
    """Return what passes and encoding alone come to, in a process with nothing around."""
    return child("bare", {"folder": str(model.folder), "seconds": seconds})


def child(module: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Run a module of this folder with a file that says what to do; return what it prints."""
    with tempfile.TemporaryDirectory(prefix="toile-bench-") as folder:
        ask = Path(folder) / "ask.json"
        ask.write_text(json.dumps(asked), encoding="utf-8")
        command: Sequence[str] = [sys.executable, "-m", f"tests.bench.{module}", str(ask)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _until_it_answers(
    port: int, body: Mapping[str, bool], process: subprocess.Popen[bytes], log: Path
) -> None:
    asked = {name: [1] if several else 1 for name, several in body.items()}
    until = time.monotonic() + _SECONDS
    while True:
        try:
            answer = httpx.post(f"http://127.0.0.1:{port}/predict", json=asked, timeout=120)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code == httpx.codes.OK:
            return
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError(log.read_text(errors="replace")[-2000:])
        time.sleep(0.2)
